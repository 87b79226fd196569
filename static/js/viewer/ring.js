/**
 * The combo ring: what the send button becomes. Three seconds run around ×n; each tap starts them anew. Tap it, hold
 * it, or use the space bar.
 */

import { pop } from './feed.js';
import { element, find } from './find.js';

const HOLD_AFTER_MS = 350;
const HOLD_EVERY_MS = 140;
const RADIUS = 34;
const ROUND = 2 * Math.PI * RADIUS;

export class ComboRing {
  #button;
  #times;
  #art;
  #arc;
  #run = null;
  #end = null;
  #hold = null;
  #countdown = null;
  #windowMs;
  #onTap;
  #onChange;

  /** @param {{windowMs?: number, onTap: (run: object) => void, onChange: () => void}} options */
  constructor({ windowMs = 3_000, onTap, onChange }) {
    this.#windowMs = windowMs;
    this.#onTap = onTap;
    this.#onChange = onChange;
    this.#build();
    this.move('floating');
    addEventListener('keydown', (event) => this.#key(event));
    addEventListener('keyup', (event) => event.code === 'Space' && this.#release());
    addEventListener('blur', () => this.#release());
  }

  /** {gift, quantity, count} while a combo runs, else null. */
  get run() {
    return this.#run;
  }

  get element() {
    return this.#button;
  }

  /** Show it in the floating slot or in the panel's. */
  move(slot) {
    const host = find(`.ring-slot[data-slot="${slot}"]`);
    if (this.#button.parentElement !== host) host.append(this.#button);
  }

  /** A tap was sent: `quantity` more of `gift`. */
  tapped(gift, quantity, artUrl, label) {
    if (this.#run?.gift.id !== gift.id || this.#run.quantity !== quantity) {
      const count = this.#run?.gift.id === gift.id ? this.#run.count : 0;
      this.#run = { gift, quantity, count };
      this.#art.src = artUrl;
      this.#button.dataset.tier = gift.tier;
    }
    this.#run.count += quantity;
    this.#show();
    this.#button.setAttribute('aria-label', `Send ${label} again. ${this.#run.count} so far`);
    this.#restart();
    if (this.#button.hidden) {
      this.#button.hidden = false;
      this.#onChange();
    }
  }

  /** The server counted this many: it knows taps of other tabs and of before. Never counts down. */
  counted(giftId, count) {
    if (this.#run?.gift.id !== giftId || count <= this.#run.count) return;
    this.#run.count = count;
    this.#show();
  }

  /** The combo is over: by the server's word, or because a tap was refused. */
  stop(giftId = this.#run?.gift.id) {
    if (this.#run === null || this.#run.gift.id !== giftId) return;
    this.#run = null;
    this.#release();
    clearTimeout(this.#end);
    this.#countdown?.cancel();
    this.#button.hidden = true;
    this.#onChange();
  }

  #build() {
    this.#arc = svg('circle', { class: 'ring__arc', cx: 40, cy: 40, r: RADIUS, 'stroke-dasharray': ROUND });
    const face = svg('svg', { viewBox: '0 0 80 80', class: 'ring__face', 'aria-hidden': 'true' });
    face.append(svg('circle', { class: 'ring__track', cx: 40, cy: 40, r: RADIUS }), this.#arc);
    this.#times = element('b.ring__times', { 'aria-hidden': 'true' });
    this.#art = element('img.ring__art', { alt: '', width: 28, height: 28, draggable: 'false' });
    this.#button = element('button.ring', { type: 'button', hidden: true }, face, this.#art, this.#times);
    this.#button.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      this.#button.focus({ focusVisible: false });
      this.#press();
    });
    for (const type of ['pointerup', 'pointercancel', 'pointerleave']) this.#button.addEventListener(type, () => this.#release());
    this.#button.addEventListener('contextmenu', (event) => event.preventDefault());
    // A click with detail 0 comes from the keyboard or a screen reader; a pointer's has been counted when it went down.
    this.#button.addEventListener('click', (event) => event.detail === 0 && this.#tap());
  }

  #key(event) {
    if (event.code !== 'Space' || this.#run === null) return;
    const at = document.activeElement;
    if (at !== this.#button && at !== document.body && at !== null && !at.matches('dialog')) return;
    event.preventDefault();
    if (!event.repeat) this.#press();
  }

  #press() {
    this.#release();
    this.#tap();
    // A page that was busy has the release still before it: whoever let go meanwhile must not pay for one more.
    const later = () => (this.#hold = setTimeout(again, 0));
    const again = () => {
      this.#tap();
      this.#hold = setTimeout(later, HOLD_EVERY_MS);
    };
    this.#hold = setTimeout(later, HOLD_AFTER_MS);
  }

  #release() {
    clearTimeout(this.#hold);
    this.#hold = null;
  }

  #tap() {
    if (this.#run === null) this.#release();
    else this.#onTap(this.#run);
  }

  #show() {
    this.#times.textContent = `×${this.#run.count}`;
    this.#times.dataset.value = String(this.#run.count);
    pop(this.#times);
  }

  #restart() {
    clearTimeout(this.#end);
    this.#end = setTimeout(() => this.stop(), this.#windowMs);
    this.#countdown?.cancel();
    this.#countdown = this.#arc.animate({ strokeDashoffset: [0, ROUND] }, { duration: this.#windowMs, fill: 'forwards' });
  }
}

function svg(name, attributes) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  return node;
}
