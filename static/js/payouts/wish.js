import { uuid7 } from '../giftclient/keys.js';

const KEPT = 'giftserver.payout.';

/** What the server refuses only after it has looked for the key: there is no payout under it, and was none before. */
const UNKNOWN_KEY = new Set([
  'bad_request', 'key_reused', 'payout_account_needed', 'payout_account_new', 'payout_address_refused', 'payout_day_full', 'payout_too_large',
  'payout_too_small', 'payouts_off', 'price_changed', 'wallet_frozen',
]);

/**
 * Asks for payouts under one key for a press and every further try of it, so that no try makes a second one.
 *
 * A wish is kept in the tab's storage before it goes out, and until there is an answer: whoever reloads the page finds
 * it, and asks the same again.
 */
export class Wish {
  #busy = false;

  /** @param {Session} session @param {Storage} [storage] */
  constructor(session, storage = globalThis.sessionStorage) {
    this.session = session;
    this.storage = storage;
  }

  get busy() {
    return this.#busy;
  }

  /** What was asked for without an answer: `{key, diamonds, amount_minor, currency}`, or null. */
  get unanswered() {
    return JSON.parse(this.storage.getItem(this.#place));
  }

  /**
   * Ask for what was shown, or once more for what has no answer yet, whatever is shown now.
   *
   * @param {{diamonds: number, amount_minor: number, currency: string}} [shown]
   * @returns {Promise<object|null>} the payout; null while another ask is on its way. Throws RequestError
   */
  async ask(shown) {
    if (this.#busy) return null;
    const place = this.#place;
    const before = this.unanswered;
    const wish = before ?? { key: uuid7(Date.now()), ...shown };
    this.#busy = true;
    this.storage.setItem(place, JSON.stringify(wish));
    try {
      const payout = await this.session.post('/v1/payouts', wish);
      this.storage.removeItem(place);
      return payout;
    } catch (error) {
      if (!maybeHeard(error) && (before === null || UNKNOWN_KEY.has(error.code))) this.storage.removeItem(place);
      throw error;
    } finally {
      this.#busy = false;
    }
  }

  get #place() {
    return KEPT + this.session.me?.id;
  }
}

/** Whether the payout may have been made by this try all the same; an answer without words is not the server's own. */
function maybeHeard(error) {
  return error.status !== 429 && (error.temporary || error.said === '');
}
