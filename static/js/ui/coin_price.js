import { element } from './element.js';
import { price } from './money.js';

const AT_MOST_EVERY_MS = 60_000;

/** What coins cost where the reader is, so that a number of coins can be read as money. Event: `change`. */
export class CoinPrice extends EventTarget {
  #rate = null;
  #asked_ms = -Infinity;
  #asked = 0;

  /** @param {Session} session */
  constructor(session) {
    super();
    this.session = session;
  }

  /** Ask again, a minute after the last time at the earliest; `now` at once, because somebody else is reading. Never throws. */
  async refresh({ now = false } = {}) {
    if (!now && performance.now() - this.#asked_ms < AT_MOST_EVERY_MS) return;
    this.#asked_ms = performance.now();
    this.#asked += 1;
    const asked = this.#asked;
    if (now) this.#set(null);
    if (this.session.me === null) return;
    const answer = await this.session.get('/v1/store/coin').catch(() => null);
    if (asked === this.#asked && answer !== null) this.#set(answer.price);
  }

  /** 99 → "≈ USD 1.42", never less than it costs; empty where coins are not sold, or while that is not known. */
  of(coins) {
    return this.#rate === null ? '' : `≈ ${inMoney(coins, this.#rate)}`;
  }

  /** The same as a quiet element beside a price, which follows when prices change. */
  tag(coins, tag = 'span.in-money') {
    return this.show(element(tag), coins);
  }

  /** Let `node` say what so many coins are in money, from now on. */
  show(node, coins) {
    node.dataset.moneyOf = String(coins);
    node.textContent = this.of(coins);
    return node;
  }

  /** `node` says nothing until it is told a number again. */
  forget(node) {
    delete node.dataset.moneyOf;
    node.textContent = '';
  }

  #set(rate) {
    if (JSON.stringify(rate) === JSON.stringify(this.#rate)) return;
    this.#rate = rate;
    for (const node of document.querySelectorAll('[data-money-of]')) node.textContent = this.of(node.dataset.moneyOf);
    this.dispatchEvent(new Event('change'));
  }
}

/** What so many coins cost, rounded up to a whole minor unit; whole numbers throughout. */
export function inMoney(coins, { currency, exponent, rate_minor, rate_coins }) {
  const [part, of] = [BigInt(coins) * BigInt(rate_minor), BigInt(rate_coins)];
  return price({ amount_minor: (part + of - 1n) / of, currency, exponent });
}
