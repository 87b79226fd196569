const MINUTE_MS = 60_000;

/** Counts per minute over the last `minutes`, kept in slots of ten seconds so that the line moves between minutes. */
export class Pulse {
  #slots = new Map();
  #known_ms = -Infinity;

  constructor(minutes = 20, slot_ms = 10_000) {
    this.minutes = minutes;
    this.slot_ms = slot_ms;
  }

  /** Something happened at `atMs` (server clock). */
  add(atMs) {
    const slot = Math.floor(atMs / this.slot_ms);
    this.#slots.set(slot, (this.#slots.get(slot) ?? 0) + 1);
  }

  /** Nothing is known of before `atMs`. */
  knownFrom(atMs) {
    this.#known_ms = atMs;
  }

  /** How many in the 60 s before `nowMs`, whole slots. */
  rate(nowMs) {
    return this.#sum(Math.floor(nowMs / this.slot_ms));
  }

  /** Sliding counts per minute, oldest first, one point per half minute; null where it is not known. Forgets what is older. */
  values(nowMs) {
    const last = Math.floor(nowMs / this.slot_ms);
    const step = Math.round(MINUTE_MS / 2 / this.slot_ms);
    const points = this.minutes * 2;
    const oldest = last - (points + 2) * step;
    for (const slot of this.#slots.keys()) if (slot < oldest) this.#slots.delete(slot);
    const known = this.#known_ms / this.slot_ms + MINUTE_MS / this.slot_ms;
    return Array.from({ length: points }, (_, point) => {
      const slot = last - (points - 1 - point) * step;
      return slot < known && slot < last ? null : this.#sum(slot);
    });
  }

  #sum(last) {
    let total = 0;
    for (let slot = last; slot > last - MINUTE_MS / this.slot_ms; slot -= 1) total += this.#slots.get(slot) ?? 0;
    return total;
  }
}
