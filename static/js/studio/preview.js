import { GiftLayer } from '../gifts/layer.js';

/** The gift layer in the small: what the overlay shows, and whatever is replayed or tested. Never audible. */
export class Preview {
  #layer;

  /** @param {GiftNames} names with its catalogue loaded */
  constructor(names) {
    this.host = document.getElementById('preview');
    this.#layer = new GiftLayer(this.host, {
      catalog: names.catalog,
      mode: 'preview',
      quality: 'low',
      muted: true,
      language: names.language,
    });
  }

  close() {
    this.#layer.destroy();
    delete this.host.dataset.playing;
  }

  show(gift) {
    this.#layer.show(gift);
    this.#began();
  }

  endCombo(combo) {
    this.#layer.endCombo(combo);
  }

  fold(folded) {
    this.#layer.fold(folded);
    this.#began();
  }

  /** Another epoch counts its offsets from the start again. */
  restart(epoch) {
    this.#layer.set({ epoch });
  }

  /** A test gift has no offset: it is always new. */
  test(gift) {
    const at_ms = Date.now();
    this.show({ ...gift, offset: null, combo: null, combo_quantity: gift.quantity, diamonds: 0, at_ms });
  }

  /** Play one gift of the feed again, here only, ahead of what waits. */
  replay(gift) {
    this.#layer.clear();
    this.show({ ...gift, offset: null, combo: null, combo_quantity: gift.quantity });
    const box = this.host.getBoundingClientRect();
    if (box.bottom > innerHeight || box.top < 0) this.host.scrollIntoView({ block: 'center', behavior: 'smooth' });
  }

  #began() {
    this.host.dataset.playing = '';
  }
}
