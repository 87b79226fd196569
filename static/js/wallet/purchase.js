import { uuid7 } from '../giftclient/keys.js';

/** Orders under one key for a press and every further try of it, so that no try makes a second order. */
export class Purchase {
  #last = null;

  /** @param {Session} session */
  constructor(session) {
    this.session = session;
  }

  /**
   * Order what was shown. Throws RequestError; after a temporary one the same wish goes out under the same key.
   *
   * @param {object} wish the body of POST /v1/payments, without its key
   * @returns {Promise<object>} the payment
   */
  async order(wish) {
    const said = JSON.stringify(wish);
    if (this.#last?.said !== said) this.#last = { said, key: uuid7(Date.now()) };
    try {
      const payment = await this.session.post('/v1/payments', { key: this.#last.key, ...wish });
      this.#last = null;
      return payment;
    } catch (error) {
      if (!error.temporary) this.#last = null;
      throw error;
    }
  }
}
