// The stage: one show at a time, what waits seen as a small stack.

import { artUrl, pictureOf } from './art.js';
import { Caption } from './caption.js';
import { CSS_ARRIVE, CSS_SWAY } from './easing.js';
import { make } from './person.js';
import { ShowQueue } from './queue.js';
import { wordsFor } from './words.js';

const DIMS = { half: 0, full: .6, epic: .74 };
const STACK = 3;
const LOADING_MAX_MS = 2500;
const STILL_MAX_MS = 5000;
const DIM_MS = 600;
/** From this many waiting on, a show hurries: nothing is dropped, so the wait is what gives. */
const HURRY_FROM = 6;
const HURRY_RATE = 1.5;

export class Stage {
  #queue = new ShowQueue();
  #element = make('div', 'gs-stage');
  #dim = make('div', 'gs-dim');
  #stack = make('div', 'gs-stack');
  #stackText = make('span', 'gs-stack-text');
  #current = null;
  #timer = null;

  /**
   * `prepare(gift)`: a promise of `{recipe, images}`; `build(show, prepared)`: a Scene; `onShown(show)` as one begins.
   */
  constructor(host, { engine, prepare, build, onShown }) {
    Object.assign(this, { engine, prepare, build, onShown, language: 'en', still: false, held: false });
    this.#dim.style.opacity = '0';
    this.#stack.append(...Array.from({ length: STACK }, () => {
      const image = make('img', 'gs-stack-art');
      image.alt = '';
      return image;
    }), this.#stackText);
    this.#stack.hidden = true;
    host.prepend(this.#dim);
    host.append(this.#element, this.#stack);
    this.#caption = new Caption(this.#element);
  }

  #caption;

  get waiting() { return this.#queue.length; }
  get playing() { return this.#current?.show ?? null; }

  add(show) {
    this.#queue.add(show);
    this.prepare(show.gift);
    this.pump();
  }

  /** Begin the next show if the stage is free. */
  pump() {
    if (!this.#current && !this.held) {
      const show = this.#queue.take(performance.now());
      if (show) this.#begin(show);
    }
    this.#drawStack();
  }

  /** The tab is hidden: what plays stands still, nothing new begins. */
  hold(held) {
    this.held = held;
    if (held) this.#caption.pause();
    else {
      this.#caption.resume();
      this.pump();
    }
  }

  /** Show one moment of a show, standing still. */
  freeze(show, prepared, fraction) {
    this.clear();
    const duration_ms = show.gift.animation.duration_ms;
    this.#element.dataset.gift = show.gift.id;
    this.#caption.run(show, { duration_ms, still: this.still, language: this.language, own: show.own, beats: prepared.recipe?.beats });
    this.#caption.freeze(fraction * duration_ms);
    const dim = prepared.recipe?.dim ?? DIMS[show.gift.tier] ?? 0;
    this.#dim.style.opacity = String(dim * Math.min(1, fraction * duration_ms / DIM_MS, (1 - fraction) * duration_ms / DIM_MS));
    if (!this.still && prepared.recipe) this.engine.freeze(this.build(show, prepared), fraction);
  }

  clear() {
    this.#queue.clear();
    clearTimeout(this.#timer);
    if (this.#current?.playing) this.engine.stop(this.#current.playing);
    this.#current = null;
    this.#caption.clear();
    this.#dim.style.opacity = '0';
    this.#drawStack();
  }

  destroy() {
    this.clear();
    this.#caption.destroy();
    for (const element of [this.#dim, this.#element, this.#stack]) element.remove();
  }

  async #begin(show) {
    const current = { show, playing: null };
    this.#current = current;
    const deadline = new Promise(resolve => { this.#timer = setTimeout(resolve, LOADING_MAX_MS, null); });
    const prepared = await Promise.race([this.prepare(show.gift), deadline]);
    clearTimeout(this.#timer);
    if (this.#current !== current) return;
    const still = this.still || !prepared?.recipe;
    const rate = this.#queue.length >= HURRY_FROM ? HURRY_RATE : 1;
    const whole_ms = show.gift.animation.duration_ms;
    const duration_ms = still ? Math.min(STILL_MAX_MS, whole_ms) : whole_ms / rate;
    this.#element.dataset.gift = show.gift.id;
    this.#element.dataset.sender = show.sender.id;
    this.#dimTo(still ? 0 : prepared.recipe.dim ?? DIMS[show.gift.tier] ?? 0);
    this.#caption.run(show, { duration_ms, still, language: this.language, own: show.own, beats: prepared?.recipe?.beats });
    if (this.held) this.#caption.pause();
    this.onShown(show);
    if (still) this.#timer = setTimeout(() => this.#end(current), duration_ms);
    else current.playing = this.engine.play(this.build(show, prepared), rate, () => this.#end(current));
  }

  #end(current) {
    if (this.#current !== current) return;
    this.#current = null;
    this.#caption.clear();
    delete this.#element.dataset.gift;
    delete this.#element.dataset.sender;
    if (!this.#queue.length || this.held) this.#dimTo(0);
    this.pump();
  }

  #dimTo(opacity) {
    const from = getComputedStyle(this.#dim).opacity;
    this.#dim.style.opacity = String(opacity);
    this.#dim.animate([{ opacity: from }, { opacity }], { duration: DIM_MS, easing: CSS_SWAY });
  }

  #drawStack() {
    const next = this.#queue.peek(STACK, performance.now());
    const was = this.#stack.hidden;
    this.#stack.hidden = next.length === 0;
    if (!next.length) return;
    [...this.#stack.children].slice(0, STACK).forEach((image, i) => {
      image.hidden = !next[i];
      const url = next[i] ? artUrl(pictureOf(next[i].gift)) : '';
      if (url && image.src !== url) image.src = url;
    });
    this.#stackText.textContent = wordsFor(this.language).waiting(this.#queue.length);
    if (was && !this.still) this.#stack.animate([{ opacity: 0, transform: 'translateX(16px)' }, { opacity: 1, transform: 'none' }], { duration: 300, easing: CSS_ARRIVE });
  }
}

