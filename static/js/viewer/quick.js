/** Quick gifts: the last three that were sent, one tap away. */

import { element, fill, find, inCoins, written } from './find.js';

const KEY = 'giftserver.quick';
const SHOWN = 3;
const START_COINS = [1, 5, 10]; // for someone who has sent nothing yet

export class QuickGifts {
  #host = find('.quick');
  #catalog;
  #money;
  #budget;
  #ids;
  #onTap;

  /** @param {Catalog} catalog @param {CoinPrice} money @param {Budget} budget @param {(gift: object, bar: object|null) => void} onTap `bar`: a limit in the way */
  constructor(catalog, money, budget, onTap) {
    this.#catalog = catalog;
    this.#money = money;
    this.#budget = budget;
    for (const source of [money, budget]) source.addEventListener('change', () => this.#name());
    this.#onTap = onTap;
    this.#ids = this.#kept();
    this.#draw();
  }

  set catalog(catalog) {
    this.#catalog = catalog;
    this.#draw();
  }

  /** A gift was sent. One that is already among the three keeps its place: buttons must not move under a thumb. */
  sent(gift) {
    if (this.#ids.slice(0, SHOWN).includes(gift.id)) return;
    this.#ids = [gift.id, ...this.#ids].slice(0, SHOWN);
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#ids));
    } catch {
      // Forgotten after this visit where storage is forbidden.
    }
    this.#draw();
  }

  #kept() {
    const small = this.#catalog.gifts.filter((gift) => gift.combo);
    const start = START_COINS.map((coins) => small.find((gift) => gift.coins >= coins)).filter(Boolean).map((gift) => gift.id);
    let kept = [];
    try {
      kept = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    } catch {
      // As if nothing had been kept.
    }
    return [...new Set([...kept, ...start])].filter((id) => this.#catalog.get(id) !== null).slice(0, SHOWN);
  }

  #draw() {
    const gifts = this.#ids.map((id) => this.#catalog.get(id)).filter((gift) => gift !== null);
    fill(this.#host, ...gifts.map((gift) => {
      const button = element(
        'button.quick__gift.over-video', { type: 'button', data: { gift: gift.id } },
        element('img', { src: this.#catalog.art(gift), alt: '', width: 30, height: 30 }),
        element('span.quick__price', { 'aria-hidden': 'true' }, written(gift.coins)),
      );
      button.addEventListener('click', () => this.#onTap(gift, this.#bar(gift)));
      return button;
    }));
    this.#name();
  }

  #bar(gift) {
    return this.#budget.resting ? null : this.#budget.bars(gift.coins);
  }

  /** There is no room for words, so they are said and shown on pointing; what cannot be sent now is dimmed. */
  #name() {
    for (const button of this.#host.children) {
      const gift = this.#catalog.get(button.dataset.gift);
      const cost = [inCoins(gift.coins), this.#money.of(gift.coins)].filter(Boolean).join(', ');
      const why = this.#bar(gift)?.why ?? (this.#budget.resting ? 'You are taking a break' : '');
      button.setAttribute('aria-disabled', String(why !== ''));
      button.title = [`Send ${this.#catalog.name(gift)} for ${cost}`, why].filter(Boolean).join(': ');
      button.setAttribute('aria-label', button.title);
    }
  }
}
