/** What the catalogue calls a gift, in the reader's language where it has one. */
export class GiftNames {
  #gifts = new Map();
  #languages;
  catalog = { version: 0, languages: [], gifts: [] };

  /** @param {readonly string[]} languages preferred first, as in navigator.languages */
  constructor(languages = navigator.languages) {
    this.#languages = [...languages.map((tag) => tag.split('-')[0]), 'en'];
  }

  /** Fetch the catalogue. Throws what the session throws; names then fall back to tidied ids. */
  async load(session) {
    this.catalog = await session.get('/v1/catalog');
    this.#gifts = new Map(this.catalog.gifts.map((gift) => [gift.id, gift]));
    return this;
  }

  /** The first of the reader's languages the catalogue speaks. */
  get language() {
    return this.#languages.find((tag) => this.catalog.languages.includes(tag)) ?? 'en';
  }

  name(id) {
    const names = this.#gifts.get(id)?.name ?? {};
    const language = this.#languages.find((tag) => names[tag] !== undefined);
    return names[language] ?? Object.values(names)[0] ?? tidy(id);
  }

  /** Where the still picture of a gift is, or null for a gift the catalogue does not know. */
  art(id) {
    return this.#gifts.get(id)?.art ?? null;
  }

  tier(id) {
    return this.#gifts.get(id)?.tier ?? 'tray';
  }

  /** Gifts of a tier, cheapest first. */
  inTier(tier) {
    return this.catalog.gifts.filter((gift) => gift.tier === tier).sort((one, other) => one.coins - other.coins);
  }
}

function tidy(id) {
  const words = String(id).replaceAll(/[-_]+/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
