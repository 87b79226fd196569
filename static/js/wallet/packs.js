import { element, fill } from '../ui/element.js';
import { count } from '../ui/numbers.js';
import { perHundred, price } from '../ui/money.js';

const COLUMNS = 3;
const WAITING_PACKS = 7;
const MODEST_PLACE = 2;
const CUSTOM = 'custom';
const SHORT = 'USD 249.99'.length;

/** What may be bought: packs to choose from, and a field for any other number of coins. */
export class Packs {
  #answer = null;
  #bad = '';
  field = null;
  costs = null;
  bounds = null;

  /** @param {HTMLElement} host @param {(choice: {pack: string}|{coins: number}|null) => void} chosen null: no number yet that is sold */
  constructor(host, chosen) {
    this.host = host;
    this.chosen = chosen;
    host.addEventListener('change', (event) => {
      if (event.target.matches('.pack__radio')) this.#changed(event.target.value === CUSTOM);
    });
  }

  /** Grey cards of the size that prices will have. */
  wait() {
    this.#answer = null;
    this.host.setAttribute('aria-busy', 'true');
    const packs = Array.from({ length: WAITING_PACKS }, () => element('div.skeleton.offer-card__skeleton'));
    fill(this.host, ...packs, element('div.skeleton.offer-card__skeleton', { data: { span: COLUMNS - (WAITING_PACKS % COLUMNS) } }));
  }

  /**
   * Without a choice that stays, a modest pack is chosen, or the dearest below it that one may still buy; else none.
   *
   * @param {object} answer GET /v1/store @param {{pack: string}|{coins: number}|null} choice what stays chosen, where it is still sold
   */
  draw(answer, choice = null) {
    this.#answer = answer;
    this.#bad = '';
    this.field = this.costs = this.bounds = null;
    this.host.removeAttribute('aria-busy');
    const { packs, custom } = answer;
    const bonuses = packs.some((pack) => pack.bonus_coins > 0);
    this.host.dataset.prices = packs.some((pack) => price({ ...answer, ...pack }).length > SHORT) ? 'long' : 'short';
    fill(this.host, ...packs.map((pack) => card(pack, answer, bonuses)), custom && this.#custom(packs.length));
    const left = answer.left_coins ?? Infinity;
    const modest = packs.slice(0, MODEST_PLACE + 1).findLast((pack) => pack.coins <= left);
    const least = packs.length === 0 && custom?.coins_min <= left ? { coins: custom.coins_min } : null;
    [choice, modest && { pack: modest.id }, least].some((one) => this.select(one));
  }

  /** Choose without a press; false when it is not sold any more. */
  select(choice) {
    const wanted = choice?.pack ?? (choice?.coins === undefined ? null : CUSTOM);
    const radio = [...this.host.querySelectorAll('.pack__radio')].find((one) => one.value === wanted);
    if (!radio) return false;
    radio.checked = true;
    if (wanted === CUSTOM) this.field.value = String(choice.coins);
    this.#tellBounds(wanted === CUSTOM ? this.#problem() : '');
    return true;
  }

  /** @returns {{pack: string}|{coins: number}|null} */
  get choice() {
    const value = this.host.querySelector('.pack__radio:checked')?.value;
    if (value === undefined) return null;
    if (value !== CUSTOM) return { pack: value };
    return this.#problem() === '' ? { coins: numberIn(this.field.value) } : null;
  }

  /** Coins of the pack that is chosen for who has not chosen; 0 without packs. */
  get modest() {
    return this.#answer?.packs.slice(0, MODEST_PLACE + 1).at(-1)?.coins ?? 0;
  }

  /** The server knows the custom amount: this is what it costs; null while that is asked. */
  cost(terms) {
    if (this.costs) this.costs.textContent = terms === null ? '' : price(terms);
  }

  /** What is wrong with the number is said beside it. */
  complain(text = this.#problem()) {
    this.#tellBounds(text);
    this.field?.focus();
  }

  #custom(packs) {
    const { coins_min, coins_max } = this.#answer.custom;
    this.field = element('input.input.custom__field', {
      id: 'custom-coins',
      type: 'text',
      inputmode: 'numeric',
      autocomplete: 'off',
      maxlength: 12,
      placeholder: count(coins_min),
      'aria-label': 'Coins you want',
      'aria-describedby': 'custom-words',
    });
    this.costs = element('span.custom__cost', {});
    this.bounds = element('p.custom__words.tiny', { id: 'custom-words' }, `${count(coins_min)} to ${count(coins_max)} coins`);
    const radio = element('input.pack__radio', { type: 'radio', name: 'offer', id: 'offer-custom', value: CUSTOM });
    this.field.addEventListener('focus', () => {
      if (radio.checked) return;
      radio.checked = true;
      this.#changed(false);
    });
    this.field.addEventListener('input', () => this.#changed(false));
    const row = element('div.custom__row', {}, this.field, this.costs);
    const face = element('div.pack__face.custom', {}, element('label.custom__title', { for: 'offer-custom' }, 'Another amount'), row, this.bounds);
    return element('div.pack.pack--custom', { data: { span: COLUMNS - (packs % COLUMNS) } }, radio, face);
  }

  #changed(byRadio) {
    if (byRadio && this.field.value === '') this.field.focus();
    const custom = this.host.querySelector('.pack__radio:checked')?.value === CUSTOM;
    // An empty field is not wrong yet: its bounds stand below it.
    this.#tellBounds(custom && this.field.value.trim() !== '' ? this.#problem() : '');
    this.chosen(this.choice);
  }

  #tellBounds(problem) {
    if (!this.bounds || problem === this.#bad) return;
    const { coins_min, coins_max } = this.#answer.custom;
    this.#bad = problem;
    this.bounds.textContent = problem || `${count(coins_min)} to ${count(coins_max)} coins`;
    this.bounds.dataset.tone = problem ? 'bad' : 'plain';
    this.field.setAttribute('aria-invalid', String(problem !== ''));
  }

  #problem() {
    const { coins_min, coins_max } = this.#answer.custom;
    const coins = numberIn(this.field.value);
    if (coins === null) return 'Whole coins only, such as 500.';
    if (coins < coins_min) return `At least ${count(coins_min)} coins, please.`;
    if (coins > coins_max) return `At most ${count(coins_max)} coins at once.`;
    return '';
  }
}

/** With `bonuses` about, a card without one keeps the line free, so that prices stand in a row. */
function card(pack, answer, bonuses) {
  const terms = { ...pack, currency: answer.currency, exponent: answer.exponent };
  const id = `offer-${pack.id}`;
  const best = pack.best_value;
  const radio = element('input.pack__radio', { type: 'radio', name: 'offer', id, value: pack.id });
  const lines = [
    element('span.offer-card__coins', {}, count(pack.coins), element('span.visually-hidden', {}, ' coins')),
    bonuses && element('span.offer-card__bonus', {}, pack.bonus_coins > 0 ? `+${count(pack.bonus_coins)} bonus` : ''),
    element('span.offer-card__price', {}, price(terms).replace('\u00a0', ' ')),
    element('span.offer-card__each', {}, perHundred(terms)),
    best && element('span.offer-card__best', {}, 'Best value'),
    best && element('span.offer-card__why', {}, 'cheapest per coin'),
  ].filter(Boolean);
  // The spaces are for who hears the card as one name.
  const face = element('label.pack__face.offer-card', { for: id }, ...lines.flatMap((line) => [line, ' ']));
  return element('div.pack', { data: { best: String(best) } }, radio, face);
}

/** "1,000" and "1 000" are numbers as people write them; anything but digits is none. */
function numberIn(text) {
  const digits = text.replaceAll(/[\s,.'’]/g, '');
  return /^\d{1,10}$/.test(digits) ? Number(digits) : null;
}
