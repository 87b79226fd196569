/** The gift catalogue as the page uses it: by id and tier, with names in the viewer's language and reasons why not. */

export const TIERS = [
  { id: 'tray', label: 'Small' },
  { id: 'burst', label: 'Bright' },
  { id: 'half', label: 'Grand' },
  { id: 'full', label: 'Show' },
  { id: 'epic', label: 'Epic' },
];

export class Catalog {
  constructor(body, language = navigator.language) {
    this.body = body;
    this.version = body.version;
    this.gifts = body.gifts;
    const spoken = language.split('-')[0];
    this.language = body.languages?.includes(spoken) ? spoken : 'en';
    this.#byId = new Map(body.gifts.map((gift) => [gift.id, gift]));
  }

  #byId;

  get(id) {
    return this.#byId.get(id) ?? null;
  }

  name(gift) {
    return gift?.name[this.language] ?? gift?.name.en ?? 'a gift';
  }

  alt(gift) {
    return gift?.alt?.[this.language] ?? gift?.alt?.en ?? '';
  }

  art(gift) {
    return `/static/gifts/${gift.id}.svg`;
  }

  tier(id) {
    return this.gifts.filter((gift) => gift.tier === id);
  }

  /** Why this gift cannot be sent by someone of `level`, in words; null when it can. */
  lock(gift, level = 0) {
    if (gift.unlock_level > level) return `Level ${gift.unlock_level}`;
    const now = Date.now();
    if (gift.from && Date.parse(gift.from) > now) return `From ${day(gift.from)}`;
    if (gift.until && Date.parse(gift.until) <= now) return 'Its season is over';
    return null;
  }
}

/** Fetch the catalogue; keeps trying until it is there. `onRefusal` is told after each failure. */
export async function loadCatalog(session, onRefusal = () => {}) {
  for (let wait = 500; ; wait = Math.min(wait * 2, 15_000)) {
    try {
      return new Catalog(await session.get('/v1/catalog'));
    } catch (error) {
      onRefusal(error);
      await new Promise((again) => setTimeout(again, wait * (0.5 + Math.random() / 2)));
    }
  }
}

function day(date) {
  return new Date(date).toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
}
