import { element } from '../ui/element.js';
import { count, counted } from '../ui/numbers.js';
import { minorOf, typed } from '../ui/typed_money.js';
import { diamondsFor, leastFor, moneyOf, mostOf, rateWords, stepOf, worthOf } from './rate.js';
import { dayWords } from './words.js';

const DIGITS_MAX = 13;

/** How much: diamonds and money side by side. Whichever is typed, the other follows; nothing is ever rounded. */
export class Amount {
  #terms = null;
  #given = null;

  /** @param {() => void} changed runs when another amount stands there */
  constructor(changed) {
    this.changed = changed;
    const described = 'payout-most payout-amount-problem';
    this.diamonds = element('input.input', { id: 'payout-diamonds', type: 'text', inputmode: 'numeric', autocomplete: 'off', maxlength: DIGITS_MAX, 'aria-describedby': described });
    this.money = element('input.input', { id: 'payout-money', type: 'text', inputmode: 'decimal', autocomplete: 'off', maxlength: '20', 'aria-describedby': described });
    this.moneyLabel = element('label', { for: 'payout-money' });
    this.most = element('p.tiny.secondary', { id: 'payout-most' });
    this.all = element('button.chip', { type: 'button' }, 'All of it');
    this.problem = element('p.payouts__problem.small', { id: 'payout-amount-problem', role: 'alert', hidden: true });
    this.node = element(
      'fieldset.amount',
      {},
      element('legend', {}, 'How much'),
      element(
        'div.amount__fields',
        {},
        element('div.field', {}, element('label', { for: 'payout-diamonds' }, 'Diamonds'), this.diamonds),
        element('span.amount__equals', { 'aria-hidden': 'true' }, '='),
        element('div.field', {}, this.moneyLabel, this.money),
      ),
      element('div.amount__most', {}, this.most, this.all),
      this.problem,
    );
    this.diamonds.addEventListener('input', () => this.#follow(this.money, this.#minor));
    this.money.addEventListener('input', () => this.#follow(this.diamonds, this.#count));
    this.all.addEventListener('click', () => this.#put(mostOf(this.#terms)));
  }

  /** Terms as they are now. All that can be withdrawn stands there, unless somebody typed something else. */
  show(terms) {
    const { rate } = terms;
    const otherRate = this.#terms !== null && this.#terms.rate.version !== rate.version;
    this.#terms = terms;
    const most = mostOf(terms);
    this.moneyLabel.textContent = rate.currency;
    this.most.textContent = [`${rateWords(rate)}. ${moneyOf(terms.min_minor, rate)} at least, ${moneyOf(most.minor, rate)} at most now.`, dayWords(terms)].filter(Boolean).join(' ');
    if (this.#given === null || this.diamonds.value === this.#given) this.#put(most);
    else if (otherRate) this.#follow(this.money, this.#minor);
  }

  /** Show what was asked for already, which nobody can change until there is an answer; null lets it be changed again. */
  fix(wish) {
    for (const field of [this.diamonds, this.money]) field.readOnly = wish !== null;
    this.all.hidden = wish !== null;
    if (wish !== null) this.#put({ diamonds: wish.diamonds, minor: wish.amount_minor });
  }

  /** What stands there, `{diamonds, minor}`, or null where it is no amount yet. */
  get value() {
    const diamonds = countOf(this.diamonds.value);
    const minor = diamonds === null ? null : worthOf(diamonds, this.#terms.rate);
    return minor === null || minor === 0 ? null : { diamonds, minor };
  }

  /** The amount, if it can be asked for; else null, and what is wrong stands below the fields. */
  get meant() {
    const { rate, min_minor: least } = this.#terms;
    const most = mostOf(this.#terms);
    const { value } = this;
    if (value === null) return this.#complain(this.#wrong());
    if (value.minor < least) return this.#complain(`The least that is paid out is ${moneyOf(least, rate)}: ${counted(leastFor(least, rate), 'diamond')}.`);
    if (value.diamonds > most.diamonds) return this.#complain(`At most ${moneyOf(most.minor, rate)} can be withdrawn now: ${counted(most.diamonds, 'diamond')}.`);
    return value;
  }

  #wrong() {
    const { rate } = this.#terms;
    const step = stepOf(rate);
    const diamonds = countOf(this.diamonds.value);
    if (diamonds !== null && worthOf(diamonds, rate) === null) return `Diamonds are paid out in steps of ${count(step.diamonds)}: choose a multiple of it.`;
    const { minor, wrong } = minorOf(this.money.value, rate.currency);
    if (this.money.value !== '' && wrong !== undefined) return wrong;
    if (minor !== undefined && diamondsFor(minor, rate) === null) return `Money is paid out in steps of ${moneyOf(step.minor, rate)}: choose a multiple of it.`;
    return `Write how much, such as ${mostOf(this.#terms).diamonds} diamonds.`;
  }

  /** The other field says the same, or nothing while this one is no whole step. */
  #follow(other, worth) {
    other.value = worth();
    this.#complain('');
    this.changed();
  }

  #minor = () => {
    const diamonds = countOf(this.diamonds.value);
    const minor = diamonds === null ? null : worthOf(diamonds, this.#terms.rate);
    return minor === null ? '' : typed(minor, this.#terms.rate.currency);
  };

  #count = () => {
    const { minor } = minorOf(this.money.value, this.#terms.rate.currency);
    const diamonds = minor === undefined ? null : diamondsFor(minor, this.#terms.rate);
    return diamonds === null ? '' : String(diamonds);
  };

  #put({ diamonds, minor }) {
    this.#given = String(diamonds);
    this.diamonds.value = this.#given;
    this.money.value = typed(minor, this.#terms.rate.currency);
    this.#complain('');
    this.changed();
  }

  #complain(text) {
    this.problem.hidden = text === '';
    this.problem.textContent = text;
    for (const field of [this.diamonds, this.money]) field.setAttribute('aria-invalid', String(text !== ''));
    if (text !== '') (document.activeElement === this.money ? this.money : this.diamonds).focus();
    return null;
  }
}

/** Digits as a number; null for anything else. */
function countOf(text) {
  return /^\d{1,13}$/.test(text.trim()) ? Number(text.trim()) : null;
}
