/**
 * Holds the gift layer for the page. Its code is fetched with the first gift, or the first sign of one: a touch or a key;
 * a page that is only opened stays light. What happens until the code is here waits, in a bounded queue.
 */

const MOST_WAITING = 200;
const AGAIN_MS = 30_000;

export class LayerHost {
  /** The GiftLayer, or null while it is on its way. */
  layer = null;
  #settings;
  #waiting = [];
  #host;
  #asked = false;

  constructor(host, settings) {
    this.#settings = { mode: 'viewer', lanes: matchMedia('(min-width: 1000px)').matches ? 3 : 2, volume: 0.6, quality: 'high', reducedMotion: null, ...settings };
    this.#host = host;
    for (const sign of ['pointerdown', 'keydown']) addEventListener(sign, () => this.#load(), { once: true, capture: true });
  }

  show(push) {
    this.#do((layer) => layer.show(push));
  }

  endCombo(ended) {
    this.#do((layer) => layer.endCombo(ended));
  }

  fold(folded) {
    this.#do((layer) => layer.fold(folded));
  }

  set(settings) {
    Object.assign(this.#settings, settings);
    this.layer?.set(settings);
  }

  #do(run) {
    if (this.layer !== null) run(this.layer);
    else if (this.#waiting.length < MOST_WAITING) this.#waiting.push(run);
    this.#load();
  }

  async #load() {
    if (this.#asked) return;
    this.#asked = true;
    try {
      const { GiftLayer } = await import('../gifts/layer.js');
      this.layer = new GiftLayer(this.#host, this.#settings);
    } catch (error) {
      console.warn('The gift effects could not be loaded; gifts are still in the feed.', error);
      this.#waiting = [];
      setTimeout(() => { this.#asked = false; }, AGAIN_MS);
      return;
    }
    for (const run of this.#waiting.splice(0)) run(this.layer);
  }
}
