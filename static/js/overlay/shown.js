/**
 * What has been received and what has been shown. The server hears what was shown; where the last unshown gift stands
 * is kept, so that a reloaded source resumes there: paid is shown.
 */

const TELL_EVERY_MS = 500;
const MOST_A_MESSAGE = 1_000;
const MOST_KEPT = 10_000;
const FRESH_MS = 120_000;

export class Shown {
  #client = null;
  #storage;
  #key;
  #waiting = new Set();
  #untold = [];
  count = 0;

  constructor(room, storage = sessionStorage) {
    this.#storage = storage;
    this.#key = `giftserver.overlay.${room}`;
    setInterval(() => this.#tell(), TELL_EVERY_MS);
  }

  /** Where to resume after a reload, if that was moments ago; gifts of an hour ago are not news. */
  get position() {
    try {
      const { epoch, offset, at_ms } = JSON.parse(this.#storage.getItem(this.#key));
      return Date.now() - at_ms < FRESH_MS ? { epoch, offset } : null;
    } catch {
      return null;
    }
  }

  follow(client) {
    this.#client = client;
    client.addEventListener('welcome', ({ detail }) => detail.resumed || this.#waiting.clear());
    client.addEventListener('state', () => this.#tell());
  }

  received(offset) {
    if (this.#waiting.size < MOST_KEPT) this.#waiting.add(offset);
  }

  rendered(offsets) {
    const real = offsets.filter((offset) => Number.isInteger(offset) && offset > 0);
    for (const offset of real) this.#waiting.delete(offset);
    this.#untold.push(...real);
    this.#untold.splice(0, this.#untold.length - MOST_KEPT);
    this.count += real.length;
  }

  #tell() {
    while (this.#untold.length > 0) {
      const some = this.#untold.slice(0, MOST_A_MESSAGE);
      if (!this.#client?.rendered(some)) break;
      this.#untold.splice(0, some.length);
    }
    const at = this.#client?.position;
    if (!at) return;
    const offset = this.#waiting.size > 0 ? Math.min(at.offset, Math.min(...this.#waiting) - 1) : at.offset;
    try {
      this.#storage.setItem(this.#key, JSON.stringify({ epoch: at.epoch, offset, at_ms: Date.now() }));
    } catch {
      // Without storage a reload starts from now.
    }
  }
}
