// What was folded says so: "+37 small gifts from 12 people".

import { artUrl } from './art.js';
import { CSS_ARRIVE, CSS_LEAVE, CSS_SWAY } from './easing.js';
import { make } from './person.js';
import { number, wordsFor } from './words.js';

const SHOWN_MS = 4000;
const PICTURES = 3;
const SENDERS_KEPT = 2000;

export class Fold {
  #element = make('div', 'gs-fold');
  #pictures = make('span', 'gs-fold-art');
  #text = make('span', 'gs-fold-text');
  #time = make('span', 'gs-fold-time');
  #quantity = 0;
  #others = 0;
  #senders = new Set();
  #gifts = new Set();
  #offsets = [];
  #life = null;
  #leave = null;

  constructor(host, onShown) {
    this.onShown = onShown;
    this.language = 'en';
    this.still = false;
    this.held = false;
    this.#pictures.append(...Array.from({ length: PICTURES }, () => {
      const image = make('img', '');
      image.alt = '';
      return image;
    }));
    this.#element.append(this.#pictures, this.#text, this.#time);
    this.#element.hidden = true;
    host.append(this.#element);
  }

  /** `quantity` gifts, of a sender known by id, or of `others` senders the server counted. */
  add({ picture, quantity, senderId = null, others = 0, offsets = [] }) {
    this.#quantity += quantity;
    this.#others += others;
    if (senderId !== null && this.#senders.size < SENDERS_KEPT) this.#senders.add(senderId);
    if (this.#gifts.size < PICTURES) this.#gifts.add(picture);
    this.#offsets.push(...offsets);
    if (!this.held) this.show();
  }

  /** Say it, if there is something to say. */
  show() {
    if (!this.#quantity) return;
    const people = Math.max(1, this.#senders.size + this.#others);
    this.#text.textContent = wordsFor(this.language).small(number(this.#quantity, this.language), number(people, this.language));
    const gifts = [...this.#gifts];
    [...this.#pictures.children].forEach((image, i) => {
      image.hidden = i >= gifts.length;
      if (gifts[i] && image.src !== artUrl(gifts[i])) image.src = artUrl(gifts[i]);
    });
    if (this.#element.hidden) {
      this.#element.hidden = false;
      const from = this.still ? { opacity: 0 } : { opacity: 0, transform: 'translateY(14px) scale(.94)' };
      this.#element.animate([from, { opacity: 1, transform: 'none' }], { duration: 260, easing: CSS_ARRIVE });
    } else if (!this.still) {
      this.#text.animate([{ transform: 'none' }, { transform: 'scale(1.06)' }, { transform: 'none' }], { duration: 180, easing: CSS_SWAY });
    }
    this.onShown(this.#offsets.splice(0));
    this.#live();
  }

  clear() {
    this.#halt();
    this.#quantity = 0;
    this.#others = 0;
    this.#senders.clear();
    this.#gifts.clear();
    this.#offsets.length = 0;
    this.#element.hidden = true;
  }

  destroy() {
    this.clear();
    this.#element.remove();
  }

  /** Let neither its time run out nor its leaving end. */
  #halt() {
    for (const animation of [this.#life, this.#leave]) {
      if (!animation) continue;
      animation.onfinish = null;
      animation.cancel();
    }
    this.#life = null;
    this.#leave = null;
  }

  #live() {
    this.#halt();
    this.#life = this.#time.animate([{ transform: 'scaleX(1)' }, { transform: 'scaleX(0)' }], { duration: SHOWN_MS, easing: 'linear', fill: 'forwards' });
    this.#life.onfinish = () => {
      this.#leave = this.#element.animate([{ opacity: 1 }, { opacity: 0 }], { duration: 260, easing: CSS_LEAVE });
      this.#leave.onfinish = () => this.clear();
    };
  }
}
