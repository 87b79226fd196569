const SOON_MS = 1_000;
const SOON_FOR_MS = 20_000;
const LATER_MS = 2_000;
const LATER_FOR_MS = 120_000;
const SELDOM_MS = 5_000;

/** Asks for one payment again and again: often at first, seldom later, not while nobody looks, never after its end. */
export class OrderWatch {
  #timer = 0;
  #asked = 0;
  #running = true;
  #began_ms = Date.now();

  /**
   * @param {{ask: () => Promise<object>, shown: (payment: object) => void, excused: (error: RequestError) => void, goesOn: (payment: object) => boolean}} parts
   *   `goesOn`: whether something may still happen to the payment
   */
  constructor({ ask, shown, excused, goesOn }) {
    this.ask = ask;
    this.shown = shown;
    this.excused = excused;
    this.goesOn = goesOn;
    document.addEventListener('visibilitychange', this.#looked);
  }

  get watched_ms() {
    return Date.now() - this.#began_ms;
  }

  stop() {
    this.#running = false;
    this.#asked += 1;
    clearTimeout(this.#timer);
    document.removeEventListener('visibilitychange', this.#looked);
  }

  /** Ask now. An answer that was overtaken, by a later question or by `told`, is dropped. */
  async check() {
    clearTimeout(this.#timer);
    this.#asked += 1;
    const question = this.#asked;
    try {
      const payment = await this.ask();
      if (question === this.#asked) this.told(payment);
    } catch (error) {
      if (question !== this.#asked) return;
      this.excused(error);
      if (error.temporary) this.#askIn(Math.max(this.#patience_ms, error.details.retry_after_ms ?? SELDOM_MS));
    }
  }

  /** The payment stands so, whoever asked. */
  told(payment) {
    this.#asked += 1;
    this.shown(payment);
    if (!this.goesOn(payment)) return this.stop();
    this.#askIn(this.#patience_ms);
  }

  get #patience_ms() {
    if (this.watched_ms < SOON_FOR_MS) return SOON_MS;
    return this.watched_ms < LATER_FOR_MS ? LATER_MS : SELDOM_MS;
  }

  #askIn(wait_ms) {
    clearTimeout(this.#timer);
    if (this.#running && !document.hidden) this.#timer = setTimeout(() => this.check(), wait_ms);
  }

  #looked = () => {
    if (document.hidden) clearTimeout(this.#timer);
    else if (this.#running) this.check();
  };
}
