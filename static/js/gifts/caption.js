// The words of a show on the stage. One animation per line over the whole length, so any moment can be held.

import { artUrl, pictureOf } from './art.js';
import { CSS_ARRIVE, CSS_LEAVE, CSS_SWAY } from './easing.js';
import { dressAvatar, make } from './person.js';
import { giftName, wordsFor } from './words.js';

const LETTERS_MAX = 28;
const LETTER_LATE = .012;
const EPIC_BEATS = [.05, .36, .66];

const rise = (from, to, px, scale = 1) => [
  { opacity: 0, transform: `translateY(${px}px) scale(${scale})`, offset: 0 },
  { opacity: 0, transform: `translateY(${px}px) scale(${scale})`, offset: from, easing: CSS_ARRIVE },
  { opacity: 1, transform: 'none', offset: Math.min(from + .14, to - .1) },
  { opacity: 1, transform: 'none', offset: to - .08, easing: CSS_LEAVE },
  { opacity: 0, transform: `translateY(${-px / 2}px)`, offset: to },
  { opacity: 0, transform: `translateY(${-px / 2}px)`, offset: 1 },
];

const fade = (from, to) => [
  { opacity: 0, offset: 0 }, { opacity: 0, offset: from, easing: CSS_SWAY }, { opacity: 1, offset: from + .1 },
  { opacity: 1, offset: to - .1, easing: CSS_SWAY }, { opacity: 0, offset: to }, { opacity: 0, offset: 1 },
];

export class Caption {
  #element = make('div', 'gs-caption');
  #animations = [];

  constructor(host) {
    this.#element.hidden = true;
    host.append(this.#element);
  }

  /** Say who gives what for `duration_ms`. `still`: fades, and the gift's own picture in place of the scene. */
  run({ sender, gift, quantity }, { duration_ms, still, language, own, beats = EPIC_BEATS }) {
    this.clear();
    const words = wordsFor(language), name = giftName(gift, language);
    this.#element.className = `gs-caption gs-tier-${gift.tier}${own ? ' gs-own' : ''}${still ? ' gs-is-still' : ''}`;
    this.#element.hidden = false;
    const move = still ? fade : rise;
    const play = (element, frames) => {
      this.#element.append(element);
      this.#animations.push(element.animate(frames, { duration: duration_ms, fill: 'both' }));
    };
    if (still) {
      const picture = make('img', 'gs-still');
      picture.src = artUrl(pictureOf(gift));
      picture.alt = '';
      play(picture, fade(0, 1));
    }
    const epic = gift.tier === 'epic', from = epic ? beats[0] : .1, to = epic && !still ? beats[1] : .98;
    const opening = make('div', 'gs-caption-opening');
    this.#element.append(opening);
    const who = this.#who(sender, words.sends);
    opening.append(who);
    this.#animations.push(who.animate(move(from, to, 18), { duration: duration_ms, fill: 'both' }));
    const title = this.#title(name, quantity);
    opening.append(title);
    this.#letters(title, from + .03, to, duration_ms, still);
    if (!epic) return;
    const dedication = make('div', 'gs-dedication');
    dedication.append(make('div', 'gs-dedication-thanks', words.thanks), make('div', 'gs-dedication-name', sender.name),
      make('div', 'gs-dedication-gift', quantity > 1 ? `${name} ×${quantity}` : name));
    if (still) return;
    play(dedication, rise(beats[2], 1, 34, .9));
  }

  /** Stand still at `time_ms`. */
  freeze(time_ms) {
    for (const animation of this.#animations) {
      animation.pause();
      animation.currentTime = time_ms;
    }
  }

  pause() { for (const animation of this.#animations) animation.pause(); }

  resume() { for (const animation of this.#animations) animation.play(); }

  clear() {
    for (const animation of this.#animations) animation.cancel();
    this.#animations.length = 0;
    this.#element.replaceChildren();
    this.#element.hidden = true;
  }

  destroy() {
    this.clear();
    this.#element.remove();
  }

  #who(sender, sends) {
    const who = make('div', 'gs-caption-sender'), avatar = make('span', 'gs-avatar');
    dressAvatar(avatar, sender);
    who.append(avatar, make('span', 'gs-caption-name', sender.name), make('span', 'gs-caption-sends', sends));
    return who;
  }

  #title(name, quantity) {
    const title = make('div', 'gs-caption-gift');
    const letters = [...name];
    // Words stay whole when the line breaks; only letters of short titles move one by one.
    for (const word of letters.length > LETTERS_MAX ? [name] : name.split(' ')) {
      const group = make('span', 'gs-word');
      if (letters.length > LETTERS_MAX) group.append(make('span', 'gs-letter', word));
      else for (const letter of word) group.append(make('span', 'gs-letter', letter));
      title.append(group, ' ');
    }
    if (quantity > 1) title.append(make('span', 'gs-count gs-letter', `×${quantity}`));
    return title;
  }

  #letters(title, from, to, duration_ms, still) {
    title.querySelectorAll('.gs-letter').forEach((letter, i) => {
      const frames = still ? fade(.04, to) : rise(Math.min(from + i * LETTER_LATE, to - .3), to, 30, .8);
      this.#animations.push(letter.animate(frames, { duration: duration_ms, fill: 'both' }));
    });
  }
}
