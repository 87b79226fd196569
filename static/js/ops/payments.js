import { avatar, element, fill } from '../ui/element.js';
import { count } from '../ui/numbers.js';
import { standOf } from './claim_words.js';
import { amountOf, perHundredOf } from '../ui/money.js';
import { coinsOf, momentOf, saidOf, stateOf, STATES, tidy } from './payment_words.js';

const PAGE_PAYMENTS = 30;

/** Payments of everybody, newest first, narrowed by the server; each row opens its payment. */
export class Payments {
  #rows = new Map();
  #next = null;
  #opened = 0;
  #busy = false;
  #review = false;

  /** @param {{session: Session, opened: (id: string) => void, refused: (error: RequestError) => void}} parts */
  constructor({ session, opened, refused }) {
    this.session = session;
    this.opened = opened;
    this.refused = refused;
    this.list = document.getElementById('payment-rows');
    this.words = document.getElementById('payments-words');
    this.older = document.getElementById('payments-older');
    this.state = document.getElementById('filter-state');
    this.person = document.getElementById('filter-person');
    this.looks = [...document.querySelectorAll('[data-look]')];
    this.state.append(new Option('Every state', ''), ...Object.entries(STATES).map(([state, [text]]) => new Option(text, state)));
    this.older.addEventListener('click', () => this.#showOlder());
    this.state.addEventListener('change', () => this.open());
    this.person.addEventListener('search', () => this.open());
    document.getElementById('filters').addEventListener('submit', (event) => {
      event.preventDefault();
      this.open();
    });
    for (const chip of this.looks) chip.addEventListener('click', () => this.#look(chip.dataset.look === 'review'));
  }

  /** Load the newest payments that the filters let through. */
  async open() {
    this.#opened += 1;
    const opened = this.#opened;
    this.#rows.clear();
    this.#next = null;
    this.older.hidden = true;
    this.#say('');
    fill(this.list, ...[1, 2, 3].map(() => element('li.skeleton.payments__skeleton', { 'aria-hidden': 'true' })));
    try {
      const page = await this.#page(null);
      if (opened !== this.#opened) return;
      fill(this.list);
      this.#add(page);
      if (this.#rows.size === 0) this.#say(this.#narrowed ? 'No payment is like this.' : 'Nobody has bought coins yet.');
    } catch (error) {
      if (opened === this.#opened) this.#excuse(error);
    }
  }

  /** Whoever looked is somebody else now: nothing of it stays. */
  close() {
    this.#opened += 1;
    this.#rows.clear();
    fill(this.list);
  }

  /** A payment stands otherwise now: its row says so, in its place. */
  update(payment) {
    const button = this.#rows.get(payment.id);
    if (button) fill(button, ...faceOf(payment));
  }

  get #narrowed() {
    return this.#review || this.state.value !== '' || this.person.value.trim() !== '';
  }

  #look(review) {
    this.#review = review;
    for (const chip of this.looks) chip.setAttribute('aria-pressed', String((chip.dataset.look === 'review') === review));
    this.open();
  }

  async #showOlder() {
    if (this.#busy || this.#next === null) return;
    const opened = this.#opened;
    this.#busy = true;
    this.older.setAttribute('aria-disabled', 'true');
    try {
      const page = await this.#page(this.#next);
      if (opened === this.#opened) this.#add(page);
    } catch (error) {
      if (opened === this.#opened) this.#say(`No older payments came. ${saidOf(error)}`);
    } finally {
      this.#busy = false;
      this.older.removeAttribute('aria-disabled');
    }
  }

  #page(before) {
    const asked = { limit: PAGE_PAYMENTS, review: this.#review || '', state: this.state.value, user: this.person.value.trim(), before: before ?? '' };
    const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== ''));
    return this.session.get(`/v1/ops/payments?${query}`);
  }

  #add(page) {
    const before = this.list.children.length;
    for (const payment of page.payments) if (!this.#rows.has(payment.id)) this.list.append(this.#row(payment));
    this.#next = page.next;
    const held = document.activeElement === this.older;
    this.older.hidden = page.next === null;
    if (held && this.older.hidden) this.list.children[before]?.querySelector('button').focus();
  }

  #row(payment) {
    const button = element('button.payment-row', { type: 'button', data: { payment: payment.id } }, ...faceOf(payment));
    button.addEventListener('click', () => this.opened(payment.id));
    this.#rows.set(payment.id, button);
    return element('li', {}, button);
  }

  #excuse(error) {
    fill(this.list);
    if (error.code === 'unauthorized' || error.code === 'forbidden') return this.refused(error);
    if (error.code === 'bad_request') return this.#say('There can be no person of this name: a name here is the id, such as ana.');
    const again = element('button.button.button--quiet', { type: 'button' }, 'Load the payments again');
    again.addEventListener('click', () => this.open());
    this.#say(`The payments did not come. ${saidOf(error)}`, again);
  }

  #say(text, ...more) {
    fill(this.words, text && element('p', {}, text), ...more);
    this.words.hidden = text === '';
  }
}

function faceOf(payment) {
  const { text, tone } = standing(payment);
  return [
    element('span.payment-row__when', {}, momentOf(payment.created_at_ms)),
    element('span.payment-row__who', {}, avatar(payment.user, payment.user), element('span.payment-row__name', {}, payment.user)),
    element('span.payment-row__coins.coins', {}, coinsOf(payment, count), element('span.payment-row__unit', {}, ' coins')),
    element('span.payment-row__cost', {}, element('span.payment-row__amount', {}, amountOf(payment.amount_minor, payment.currency)), element('span.payment-row__each', {}, perHundredOf(payment))),
    element('span.payment-row__provider', {}, tidy(payment.provider)),
    element(
      'span.payment-row__state',
      {},
      element('span.state', { data: { tone } }, text),
      payment.review !== null && element('span.look', {}, 'Needs a look'),
    ),
  ];
}

/** A payment that the bank may take back, or took, is not just credited; won, it is as it was. */
function standing({ state, dispute }) {
  if (dispute === null || dispute === 'won') return stateOf(state);
  const { text, tone } = standOf({ kind: 'dispute', state: dispute });
  return { text: `Dispute: ${text.toLowerCase()}`, tone };
}
