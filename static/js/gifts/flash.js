// At most three flashes in any second, over everything that is drawn (WCAG 2.3.1).

export const FLASHES_PER_S = 3;

export class FlashGuard {
  #times = [-Infinity, -Infinity, -Infinity];

  /** Whether a flash may start at `now_s`; counts it if so. */
  allow(now_s) {
    if (now_s - this.#times[0] < 1) return false;
    this.#times.shift();
    this.#times.push(now_s);
    return true;
  }
}
