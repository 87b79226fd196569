const AT_MOST = 2_000;

/** Which gifts the creator has thanked for: a private tick, kept in this browser per room. */
export class Thanked {
  #key;
  #ticks;

  constructor(room, storage = globalThis.localStorage) {
    this.#key = `giftserver.thanked.${room}`;
    this.storage = storage;
    this.#ticks = new Set(this.#read());
  }

  has(epoch, offset) {
    return this.#ticks.has(`${epoch}-${offset}`);
  }

  /** @returns {boolean} whether it is ticked now */
  toggle(epoch, offset) {
    const tick = `${epoch}-${offset}`;
    if (!this.#ticks.delete(tick)) this.#ticks.add(tick);
    this.#write();
    return this.#ticks.has(tick);
  }

  #read() {
    try {
      const kept = JSON.parse(this.storage.getItem(this.#key) ?? '[]');
      return Array.isArray(kept) ? kept : [];
    } catch {
      return [];
    }
  }

  #write() {
    try {
      this.storage.setItem(this.#key, JSON.stringify([...this.#ticks].slice(-AT_MOST)));
    } catch {
      // A full or forbidden storage loses the ticks with the page; nothing else depends on them.
    }
  }
}
