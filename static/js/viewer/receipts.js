/** The viewer's own gifts of this visit: sending → accepted → settled, then perhaps given back; or refused with the reason. */

import { sentenceOf } from '../refusals.js';
import { element, fill, price } from './find.js';

const MOST = 60;
const WORDS = {
  sending: 'Sending…',
  delayed: 'Waiting its turn',
  asking: 'Asking what became of it',
  accepted: 'Accepted',
  settled: 'Settled',
  refunded: 'Given back: the room had closed',
  refused: 'Not sent',
};

/** Events: `change`. */
export class Receipts extends EventTarget {
  #catalog;
  #byKey = new Map();
  #settledEarly = new Set();

  constructor(catalog) {
    super();
    this.#catalog = catalog;
  }

  /** Follow a client's pending gifts, receipts and settlements. */
  follow(client) {
    this.#byKey.clear();
    client.addEventListener('pending', ({ detail }) => detail.entries.forEach((entry) => this.#pending(entry)));
    client.addEventListener('receipt', ({ detail }) => {
      const { transfer, state, coins } = detail.result;
      const settled = this.#settledEarly.delete(transfer) ? 'settled' : state;
      this.#put(detail, { state: settled, transfer, coins });
    });
    client.addEventListener('refused', ({ detail }) => {
      if (detail.error.code === 'cancelled') this.#byKey.delete(detail.key);
      else this.#put(detail, { state: 'refused', why: sentenceOf(detail.error) });
    });
    client.addEventListener('settled', ({ detail }) => detail.transfers.forEach((transfer) => this.#settled(transfer)));
    client.addEventListener('refunded', ({ detail }) => this.#became('refunded', detail.transfer));
  }

  get items() {
    return [...this.#byKey.values()].reverse();
  }

  /** A live list of them. */
  list() {
    const host = element('ol.receipts', { 'aria-label': 'Your gifts of this visit' });
    const draw = () => {
      if (host.isConnected || host.childElementCount === 0) fill(host, ...this.#rows());
    };
    this.addEventListener('change', draw);
    draw();
    return { host, stop: () => this.removeEventListener('change', draw) };
  }

  #rows() {
    if (this.#byKey.size === 0) return [element('li.secondary.small', {}, 'Nothing yet. What you send is listed here with its receipt.')];
    return this.items.map((item) => {
      const gift = this.#catalog.get(item.gift);
      return element(
        'li.receipt', { data: { state: item.state, key: item.key, gift: item.gift } },
        gift && element('img', { src: this.#catalog.art(gift), alt: '', width: 36, height: 36 }),
        element(
          'div.receipt__words', {},
          element('b', {}, `${this.#catalog.name(gift)}${item.quantity > 1 ? ` ×${item.quantity}` : ''}`),
          element('span.receipt__state.tiny', {}, item.why ?? WORDS[item.state]),
        ),
        item.coins !== undefined && item.state !== 'refused' && price(item.coins),
      );
    });
  }

  #pending(entry) {
    const state = { refused: 'delayed', asking: 'asking' }[entry.state] ?? 'sending';
    const coins = entry.price_coins === undefined ? undefined : entry.price_coins * entry.quantity;
    if (this.#byKey.get(entry.key)?.state !== state) this.#put(entry, { state, coins });
  }

  #settled(transfer) {
    if (this.#became('settled', transfer)) return;
    if (this.#settledEarly.size < 1_000) this.#settledEarly.add(transfer);
  }

  #became(state, transfer) {
    const item = [...this.#byKey.values()].find((one) => one.transfer === transfer);
    if (!item) return false;
    item.state = state;
    this.dispatchEvent(new Event('change'));
    return true;
  }

  #put({ key, gift, quantity }, news) {
    this.#byKey.set(key, { ...this.#byKey.get(key), key, gift, quantity, ...news });
    while (this.#byKey.size > MOST) this.#byKey.delete(this.#byKey.keys().next().value);
    this.dispatchEvent(new Event('change'));
  }
}
