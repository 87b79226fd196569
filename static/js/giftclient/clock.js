/** Time and chance in one place, so that a test can own both. */

export const systemClock = {
  now: () => Date.now(),
  random: () => Math.random(),
  after: (delayMs, run) => globalThis.setTimeout(run, delayMs),
  cancel: (timer) => globalThis.clearTimeout(timer),
};

/** One timer that can be set again; setting it replaces what was waiting. */
export class Timer {
  #clock;
  #handle = null;

  constructor(clock) {
    this.#clock = clock;
  }

  get waiting() {
    return this.#handle !== null;
  }

  set(delayMs, run) {
    this.stop();
    this.#handle = this.#clock.after(Math.max(0, delayMs), () => {
      this.#handle = null;
      run();
    });
  }

  stop() {
    if (this.#handle !== null) this.#clock.cancel(this.#handle);
    this.#handle = null;
  }
}

/**
 * Full jitter: each wait is drawn from 0 to a ceiling that doubles, so a thousand clients that lost the same server
 * do not come back in the same instant. `settle` after the connection has been stable; only then does the ceiling fall.
 */
export class Backoff {
  #clock;
  #firstMs;
  #mostMs;
  #failures = 0;

  constructor(clock, { firstMs = 500, mostMs = 15_000 } = {}) {
    this.#clock = clock;
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
  }

  /** How long to wait now, in ms; never less than what the server asked for. */
  next(askedMs = 0) {
    const ceiling = Math.min(this.#mostMs, this.#firstMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 16);
    return Math.round(askedMs + this.#clock.random() * ceiling);
  }

  settle() {
    this.#failures = 0;
  }
}
