import { element, fill } from '../ui/element.js';
import { counted } from '../ui/numbers.js';
import { price } from '../ui/money.js';
import { coinsOf, eachOf, momentOf, shortStateOf } from './order_words.js';

const FIRST_ORDERS = 5;
const MORE_ORDERS = 10;
const NONE = 'No orders yet. What you buy stands here, step by step.';

/** What somebody ordered, newest first; each row opens the order. */
export class Orders {
  #rows = new Map();
  #next = null;
  #opened = 0;
  #busy = false;

  /** @param {{session: Session, opened: (payment: object) => void}} parts */
  constructor({ session, opened }) {
    this.session = session;
    this.opened = opened;
    this.section = document.getElementById('orders');
    this.list = document.getElementById('order-rows');
    this.words = document.getElementById('orders-words');
    this.more = document.getElementById('orders-more');
    this.more.addEventListener('click', () => this.#showMore());
  }

  hide() {
    this.#opened += 1;
    this.section.hidden = true;
  }

  /** Load the newest orders of whoever is signed in; `sold` false hides a section that has nothing to say. */
  async open(sold) {
    this.#opened += 1;
    const opened = this.#opened;
    this.#rows.clear();
    this.#next = null;
    this.more.hidden = true;
    this.section.hidden = !sold;
    this.#say('');
    fill(this.list, element('li.skeleton.orders__skeleton', { 'aria-hidden': 'true' }));
    try {
      const page = await this.#page(FIRST_ORDERS, null);
      if (opened !== this.#opened) return;
      const told = [...this.#rows.values()].map((row) => row.payment); // while the page was on its way
      this.#rows.clear();
      fill(this.list);
      this.#add(page);
      told.forEach((payment) => this.update(payment));
      this.section.hidden = !sold && this.#rows.size === 0;
      this.#say(this.#rows.size === 0 ? NONE : '');
    } catch (error) {
      if (opened !== this.#opened) return;
      const again = element('button.button.button--quiet', { type: 'button' }, 'Load the orders again');
      again.addEventListener('click', () => this.open(sold));
      fill(this.list);
      this.#say(`Your orders did not come. ${error.message}`, again);
    }
  }

  /** An order stands otherwise now: its row says so, in its place; one that is newer than all comes on top. */
  update(payment) {
    const row = this.#rows.get(payment.id);
    if (row) {
      row.payment = payment;
      fill(row.button, ...faceOf(payment));
      return;
    }
    const newest = Math.max(0, ...[...this.#rows.values()].map((one) => one.payment.created_at_ms));
    if (payment.created_at_ms < newest) return;
    this.#say('');
    this.list.prepend(this.#row(payment));
  }

  async #showMore() {
    if (this.#busy || this.#next === null) return;
    const opened = this.#opened;
    this.#busy = true;
    this.more.setAttribute('aria-disabled', 'true');
    try {
      const page = await this.#page(MORE_ORDERS, this.#next);
      if (opened === this.#opened) this.#add(page);
    } catch (error) {
      if (opened === this.#opened) this.#say(`No more orders came. ${error.message}`);
    } finally {
      this.#busy = false;
      this.more.removeAttribute('aria-disabled');
    }
  }

  #page(limit, before) {
    const from = before === null ? '' : `&before=${encodeURIComponent(before)}`;
    return this.session.get(`/v1/payments?limit=${limit}${from}`);
  }

  #add(page) {
    const before = this.list.children.length;
    for (const payment of page.payments) if (!this.#rows.has(payment.id)) this.list.append(this.#row(payment));
    this.#next = page.next;
    const held = document.activeElement === this.more;
    this.more.hidden = page.next === null;
    if (held && this.more.hidden) this.list.children[before]?.querySelector('button').focus();
  }

  #row(payment) {
    const button = element('button.order', { type: 'button', data: { order: payment.id } }, ...faceOf(payment));
    const row = { payment, button };
    button.addEventListener('click', () => this.opened(row.payment));
    this.#rows.set(payment.id, row);
    return element('li', {}, button);
  }

  #say(text, ...more) {
    fill(this.words, text, ...more);
    this.words.hidden = text === '';
  }
}

function faceOf(payment) {
  const { text, tone } = shortStateOf(payment);
  return [
    element('span.order__what', {}, element('span.order__bought', {}, element('span.order__title', {}, counted(coinsOf(payment), 'coin')), element('span.order__each', {}, eachOf(payment))), element('span.small.secondary', {}, momentOf(payment.created_at_ms))),
    element('span.order__end', {}, element('span.order__amount', {}, price(payment)), element('span.order__state', { data: { tone } }, text)),
  ];
}
