// One lane of the tray: an element that is made once and used for one combo after another.

import { artUrl, pictureOf } from './art.js';
import { CSS_ARRIVE, CSS_LEAVE, CSS_SWAY } from './easing.js';
import { dressAvatar, make } from './person.js';
import { giftName, wordsFor } from './words.js';

const ARRIVE_MS = 240;
const LEAVE_MS = 220;
const POP_MS = 180;
const FADE_MS = 300;
export const LIVES_MS = 3000;

export class Lane {
  #avatar = make('span', 'gs-avatar');
  #name = make('span', 'gs-lane-name');
  #said = make('span', 'gs-lane-gift');
  #art = make('img', 'gs-lane-art');
  #count = make('span', 'gs-count');
  #time = make('span', 'gs-lane-time');
  #body = make('div', 'gs-lane');
  #life = null;

  constructor(parent) {
    this.combo = null;
    this.leaving = false;
    const text = make('span', 'gs-lane-text');
    text.append(this.#name, this.#said);
    this.#art.alt = '';
    this.#body.append(this.#avatar, text, this.#art, this.#count, this.#time);
    this.slot = make('div', 'gs-lane-slot');
    this.slot.append(this.#body);
    this.#body.hidden = true;
    parent.append(this.slot);
  }

  get free() { return this.combo === null; }

  /** Show `combo`; `over` is called when its time has run out and the lane is free again. */
  open(combo, { language, still, over }) {
    this.combo = combo;
    this.leaving = false;
    this.still = still;
    this.over = over;
    dressAvatar(this.#avatar, combo.sender);
    this.#name.textContent = combo.sender.name;
    this.#said.textContent = `${wordsFor(language).sends} ${giftName(combo.gift, language)}`;
    this.#art.src = artUrl(pictureOf(combo.gift));
    this.#body.className = `gs-lane gs-tier-${combo.gift.tier}${combo.own ? ' gs-own' : ''}`;
    this.#body.dataset.sender = combo.sender.id;
    this.#body.dataset.gift = combo.gift.id;
    this.#body.hidden = false;
    this.#write();
    const from = still ? { opacity: 0 } : { opacity: 0, transform: 'translateX(-112%)' };
    const to = still ? { opacity: 1 } : { opacity: 1, transform: 'none' };
    this.#body.animate([from, to], { duration: still ? FADE_MS : ARRIVE_MS, easing: CSS_ARRIVE, fill: 'backwards' });
    if (!still) this.#art.animate([{ transform: 'translateX(-60px) scale(.4) rotate(-24deg)' }, { transform: 'none' }], { duration: 460, easing: CSS_ARRIVE, fill: 'backwards' });
    this.#live();
  }

  /** Another tap on the combo that is shown. */
  tap() {
    this.#write();
    if (!this.still) {
      this.#count.animate([{ transform: 'scale(1)' }, { transform: 'scale(1.25)' }, { transform: 'scale(1)' }], { duration: POP_MS, easing: CSS_SWAY });
      this.#art.animate([{ transform: 'none' }, { transform: 'scale(1.14) rotate(6deg)' }, { transform: 'none' }], { duration: POP_MS, easing: CSS_SWAY });
    }
    this.#live();
  }

  /** The number may grow when a combo ends, without new life. */
  write() { this.#write(); }

  /** The middle of the gift's picture once the lane has arrived, in px of `host`. */
  origin(host) {
    let x = this.#art.offsetWidth / 2, y = this.#art.offsetHeight / 2;
    for (let element = this.#art; element && element !== host; element = element.offsetParent) {
      x += element.offsetLeft;
      y += element.offsetTop;
    }
    return { x, y };
  }

  /** Leave now; `over` is called when gone. */
  close() {
    if (this.free || this.leaving) return;
    this.leaving = true;
    this.#life?.cancel();
    const to = this.still ? { opacity: 0 } : { opacity: 0, transform: 'translateX(-36px)' };
    const leave = this.#body.animate([{ opacity: 1, transform: 'none' }, to], { duration: this.still ? FADE_MS : LEAVE_MS, easing: CSS_LEAVE, fill: 'forwards' });
    leave.onfinish = () => {
      leave.cancel();
      this.#empty();
    };
  }

  /** As it looks `time_ms` after it opened, standing still. */
  freeze(time_ms) {
    for (const animation of this.slot.getAnimations({ subtree: true })) {
      animation.pause();
      animation.currentTime = time_ms;
    }
  }

  destroy() {
    for (const animation of this.slot.getAnimations({ subtree: true })) animation.cancel();
    this.slot.remove();
  }

  #write() {
    this.#count.textContent = `×${this.combo.quantity}`;
    this.#body.style.setProperty('--gs-heat', Math.min(1, Math.log10(this.combo.quantity + 1) / 3).toFixed(2));
  }

  #live() {
    if (this.#life) { this.#life.onfinish = null; this.#life.cancel(); }
    this.#life = this.#time.animate([{ transform: 'scaleX(1)' }, { transform: 'scaleX(0)' }], { duration: LIVES_MS, easing: 'linear', fill: 'forwards' });
    this.#life.onfinish = () => this.close();
  }

  #empty() {
    this.#life = null;
    this.combo = null;
    this.leaving = false;
    this.#body.hidden = true;
    this.over();
  }
}
