// The order of what waits: own gift first, then by value with ageing. Pure, so that it can be reasoned about.

/** A second of waiting counts as this many coins: the smallest show passes a new 9,999 after fifty seconds. */
export const AGEING_COINS_PER_S = 200;

export function score(waiting, now_ms) {
  return waiting.coins + AGEING_COINS_PER_S * Math.max(0, now_ms - waiting.since_ms) / 1000;
}

/** True if `a` goes before `b` at `now_ms`. */
export function before(a, b, now_ms) {
  if (a.own !== b.own) return a.own;
  return score(a, now_ms) > score(b, now_ms);
}

/** The index of what is next, -1 of nothing. */
export function nextOf(list, now_ms) {
  let best = -1;
  for (let i = 0; i < list.length; i += 1) {
    if (best < 0 || before(list[i], list[best], now_ms)) best = i;
  }
  return best;
}

/** Shows that wait for the stage. Nothing leaves but by `take`; the same gift of the same sender waits as one. */
export class ShowQueue {
  #waiting = [];

  get length() { return this.#waiting.length; }

  /** `{gift, sender, quantity, coins, own, since_ms, offsets[]}` */
  add(show) {
    const same = this.#waiting.find(other => other.gift.id === show.gift.id && other.sender.id === show.sender.id);
    if (!same) {
      this.#waiting.push(show);
      return;
    }
    same.quantity += show.quantity;
    same.coins += show.coins;
    same.offsets.push(...show.offsets);
  }

  take(now_ms) {
    const i = nextOf(this.#waiting, now_ms);
    return i < 0 ? null : this.#waiting.splice(i, 1)[0];
  }

  /** The first `count` in order, for the stack that shows what waits. */
  peek(count, now_ms) {
    return [...this.#waiting].sort((a, b) => (before(a, b, now_ms) ? -1 : 1)).slice(0, count);
  }

  clear() { this.#waiting.length = 0; }
}
