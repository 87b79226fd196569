// The tray: which combos are shown, which wait, which are folded.

import { Lane, LIVES_MS } from './lane.js';
import { make } from './person.js';
import { nextOf, score } from './queue.js';

const WAITING_PER_LANE = 4;
const WAITING_MAX_MS = 8000;

export class Lanes {
  #lanes = [];
  #waiting = [];
  #combos = new Map();
  #element = make('div', 'gs-lanes');

  /**
   * `on.opened(combo, lane)`, `on.tapped(combo, lane)` once it can be seen, `on.folded(combo)` for a small one there
   * was no room for, `on.shown(offsets)` for what really is on the screen.
   */
  constructor(host, on) {
    this.on = on;
    this.language = 'en';
    this.still = false;
    this.foldBelowCoins = 100;
    host.append(this.#element);
  }

  get open() { return this.#lanes.filter(lane => !lane.free).length; }
  get waiting() { return this.#waiting.length; }

  set count(count) {
    while (this.#lanes.length < count) this.#lanes.push(new Lane(this.#element));
    while (this.#lanes.length > count) {
      const lane = this.#lanes.pop();
      if (!lane.free) this.#combos.delete(lane.combo.key);
      lane.destroy();
    }
    this.#fill();
  }

  /** A gift of a combo: `{key, sender, gift, quantity (so far), coins (so far), own, since_ms, last_ms, offsets}`. */
  show(combo) {
    const known = this.#combos.get(combo.key);
    if (!known) {
      this.#combos.set(combo.key, combo);
      this.#waiting.push(combo);
      if (combo.own) this.#makeRoom();
      this.#fill();
      return;
    }
    known.quantity = Math.max(known.quantity, combo.quantity);
    known.coins = Math.max(known.coins, combo.coins);
    known.last_ms = combo.last_ms;
    const lane = this.#laneOf(known);
    if (!lane) {
      known.offsets.push(...combo.offsets);
    } else if (lane.leaving) {
      this.#combos.delete(known.key);
      this.show({ ...combo, quantity: known.quantity, coins: known.coins });
    } else {
      lane.tap();
      this.on.shown(combo.offsets);
      this.on.tapped(known, lane);
    }
  }

  /** The end of a combo: its number is final. The lane keeps the time it has. */
  end(key, quantity) {
    const known = this.#combos.get(key);
    if (!known) return;
    known.quantity = Math.max(known.quantity, quantity);
    this.#laneOf(known)?.write();
  }

  /** Fold what is small and has waited too long; the rest gets its lane. Call when the tab can be seen again. */
  catchUp(now_ms) {
    for (const combo of this.#waiting.filter(waiting => now_ms - waiting.last_ms > LIVES_MS && !this.#mustShow(waiting))) this.#fold(combo);
    this.#fill();
  }

  /** The lane at `index`, for a still picture. */
  lane(index) { return this.#lanes[index]; }

  clear() {
    this.#waiting.length = 0;
    this.#combos.clear();
    const count = this.#lanes.length;
    this.count = 0;
    this.count = count;
  }

  destroy() {
    this.clear();
    this.#element.remove();
  }

  #laneOf(combo) { return this.#lanes.find(lane => lane.combo === combo); }

  #mustShow(combo) { return combo.own || combo.coins >= this.foldBelowCoins; }

  #fill() {
    const now_ms = performance.now();
    for (const lane of this.#lanes) {
      if (!this.#waiting.length) return;
      if (!lane.free) continue;
      const combo = this.#waiting.splice(nextOf(this.#waiting, now_ms), 1)[0];
      lane.open(combo, { language: this.language, still: this.still, over: () => this.#freed(combo) });
      this.on.shown(combo.offsets.splice(0));
      this.on.opened(combo, lane);
    }
    this.#foldSome(now_ms);
  }

  #freed(combo) {
    if (this.#combos.get(combo.key) === combo) this.#combos.delete(combo.key);
    this.#fill();
  }

  /** The own gift does not wait: the least of the others leaves its lane. */
  #makeRoom() {
    if (this.#lanes.some(lane => lane.free || lane.leaving)) return;
    const others = this.#lanes.filter(lane => !lane.combo.own).sort((a, b) => a.combo.coins - b.combo.coins);
    others[0]?.close();
  }

  #foldSome(now_ms) {
    const late = waiting => now_ms - waiting.since_ms > WAITING_MAX_MS;
    const small = this.#waiting.filter(waiting => !this.#mustShow(waiting)).sort((a, b) => score(a, now_ms) - score(b, now_ms));
    let over = this.#waiting.length - this.#lanes.length * WAITING_PER_LANE;
    for (const combo of small) {
      if (over <= 0 && !late(combo)) continue;
      this.#fold(combo);
      over -= 1;
    }
  }

  #fold(combo) {
    this.#waiting.splice(this.#waiting.indexOf(combo), 1);
    this.#combos.delete(combo.key);
    this.on.folded(combo);
  }
}
