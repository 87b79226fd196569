import { element, fill } from '../ui/element.js';
import { price } from '../ui/money.js';
import { diamondsOf, momentOf, refusalWords, shortStateOf } from './words.js';

export const PAGE_PAYOUTS = 5;
const NONE = 'Nothing was withdrawn so far. Your payouts will stand here, step by step.';

/** Somebody's payouts, newest first; each row opens its payout. */
export class PayoutList {
  #rows = new Map();
  #next = null;
  #reached = false;
  #busy = false;

  /** @param {{session: Session, opened: (payout: object) => void}} parts */
  constructor({ session, opened }) {
    this.session = session;
    this.opened = opened;
    this.rows = element('ul.payouts__rows', { 'aria-labelledby': 'payouts-title' });
    this.words = element('p.small.secondary', {});
    this.more = element('button.button.button--quiet.button--wide', { type: 'button', hidden: true }, 'Show older');
    this.more.addEventListener('click', () => this.#showMore());
    this.node = element('div.payouts__list', {}, element('h3', { id: 'payouts-title' }, 'Your payouts'), this.rows, this.words, this.more);
  }

  /** The newest page, asked for now: rows come on top or say in their place how they stand. Which of them moved. */
  show(page) {
    const moved = page.payouts.filter((payout) => this.update(payout));
    if (!this.#reached) {
      this.#reached = true;
      this.#reach(page.next);
    }
    this.words.textContent = this.#rows.size === 0 ? NONE : '';
    return moved;
  }

  /** A payout stands so now; whether a known one stood otherwise. */
  update(payout) {
    const row = this.#rows.get(payout.id);
    if (row === undefined) {
      this.#add(payout);
      return false;
    }
    const moved = row.payout.state !== payout.state;
    row.payout = payout;
    if (moved) fill(row.button, ...faceOf(payout));
    return moved;
  }

  #add(payout) {
    const button = element('button.payout-row', { type: 'button', data: { payout: payout.id } }, ...faceOf(payout));
    const row = { payout, button };
    button.addEventListener('click', () => this.opened(row.payout));
    const older = [...this.rows.children].find((item) => item.firstElementChild.dataset.payout < payout.id); // ids are in the order of time
    this.rows.insertBefore(element('li', {}, button), older ?? null);
    this.#rows.set(payout.id, row);
    this.words.textContent = '';
  }

  async #showMore() {
    if (this.#busy || this.#next === null) return;
    this.#busy = true;
    this.more.setAttribute('aria-disabled', 'true');
    const before = this.rows.childElementCount;
    try {
      const page = await this.session.get(`/v1/payouts?limit=${PAGE_PAYOUTS}&before=${encodeURIComponent(this.#next)}`);
      for (const payout of page.payouts) this.update(payout);
      this.#reach(page.next);
      if (this.more.hidden) this.rows.children[before]?.querySelector('button').focus();
    } catch (error) {
      this.words.textContent = `No older payouts came. ${refusalWords(error)}`;
    } finally {
      this.#busy = false;
      this.more.removeAttribute('aria-disabled');
    }
  }

  #reach(next) {
    this.#next = next;
    this.more.hidden = next === null;
  }
}

function faceOf(payout) {
  const { text, tone } = shortStateOf(payout);
  return [
    element('span.payout-row__what', {}, element('span.payout-row__amount', {}, price(payout)), element('span.small.secondary', {}, momentOf(payout.created_at_ms))),
    element('span.payout-row__end', {}, element('span.small.secondary', {}, diamondsOf(payout)), element('span.payout-row__state', { data: { tone } }, text)),
  ];
}
