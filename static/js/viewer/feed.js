/** The feed: one line a gift or a running combo, newest below; and the same said aloud, seldom enough to be heard. */

import { avatar, element, find } from './find.js';

const MOST_LINES = 60;
const MOST_SEEN = 500;
const SPEAK_EVERY_MS = 4_000;

export class Feed {
  #lines = find('.feed__lines');
  #scroll = find('.feed__scroll');
  #spoken = find('.spoken');
  #catalog;
  #combos = new Map();
  #unsaid = [];
  #speaking = null;
  #meId = null;
  #seen = new Set();

  constructor(catalog) {
    this.#catalog = catalog;
    this.#idle();
  }

  set me(id) {
    this.#meId = id;
  }

  /** What came before this page was opened, above what has come since. */
  before(gifts) {
    const since = [...this.#lines.children];
    const running = this.#combos;
    this.#combos = new Map();
    this.#lines.replaceChildren();
    for (const gift of gifts) if (!this.#seen.has(gift.transfer)) this.gift(gift, { quiet: true });
    this.#combos = new Map([...this.#combos, ...running]);
    this.#lines.append(...since.filter((line) => !line.matches('.feed__idle')));
    this.#idle();
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  gift(push, { quiet = false } = {}) {
    this.#seen.add(push.transfer);
    if (this.#seen.size > MOST_SEEN) this.#seen.delete(this.#seen.values().next().value);
    const gift = this.#catalog.get(push.gift);
    const count = push.combo === null ? push.quantity : push.combo_quantity;
    const name = this.#catalog.name(gift);
    if (!quiet) this.#say(`${push.sender.name} sent ${count > 1 ? `${count} ` : ''}${name}`, gift?.coins ?? 0);
    const open = push.combo === null ? undefined : this.#combos.get(push.combo);
    if (open !== undefined && open.count < count) {
      open.count = count;
      open.times.textContent = `×${count}`;
      pop(open.times);
      return;
    }
    if (open !== undefined) return;
    const times = element('b.feed__times', {}, count > 1 ? `×${count}` : '');
    const line = element(
      'li.feed__line', { data: { tier: gift?.tier ?? 'tray', own: String(push.sender.id === this.#meId) } },
      avatar(push.sender.id, push.sender.name),
      element('span.feed__words', {}, element('b.feed__sender', {}, push.sender.name), element('span.feed__gift', {}, ` ${name}`)),
      gift && element('img.feed__art', { src: this.#catalog.art(gift), alt: '', width: 24, height: 24 }),
      times,
    );
    if (push.note) line.append(element('q.feed__note', {}, push.note));
    if (push.combo !== null) this.#combos.set(push.combo, { count, times });
    this.#add(line, quiet);
  }

  comboEnded({ combo }) {
    this.#combos.delete(combo);
  }

  folded({ items }) {
    const gifts = items.reduce((sum, item) => sum + item.quantity, 0);
    const people = items.reduce((sum, item) => sum + item.senders, 0);
    const words = `+${gifts} small gifts from ${people} ${people === 1 ? 'person' : 'people'}`;
    this.#say(words, 0);
    this.#add(element('li.feed__line.feed__line--plain', {}, element('span.feed__words.secondary', {}, words)), false);
  }

  #add(line, quiet) {
    this.#lines.querySelector('.feed__idle')?.remove();
    const following = this.#scroll.scrollHeight - this.#scroll.scrollTop - this.#scroll.clientHeight < 80;
    if (!quiet) line.classList.add('feed__line--new');
    this.#lines.append(line);
    while (this.#lines.childElementCount > MOST_LINES) this.#lines.firstElementChild.remove();
    if (following || quiet) this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  #idle() {
    if (this.#lines.childElementCount > 0) return;
    this.#lines.append(element('li.feed__idle.secondary.small', {}, 'Quiet so far. The first gift lights up the stage.'));
  }

  /** Speech keeps the dearest of what came since the last sentence and counts the rest. */
  #say(words, coins) {
    this.#unsaid.push({ words, coins });
    this.#speaking ??= setTimeout(() => {
      this.#speaking = null;
      const said = this.#unsaid.sort((a, b) => b.coins - a.coins);
      this.#unsaid = [];
      const rest = said.length > 1 ? `, and ${said.length - 1} more ${said.length === 2 ? 'gift' : 'gifts'}` : '';
      this.#spoken.append(element('p', {}, `${said[0].words}${rest}.`));
      while (this.#spoken.childElementCount > 5) this.#spoken.firstElementChild.remove();
    }, SPEAK_EVERY_MS);
  }
}

/** 1 → 1.25 → 1 in 180 ms. */
export function pop(node) {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  node.animate({ transform: ['scale(1)', 'scale(1.25)', 'scale(1)'] }, { duration: 180, easing: 'cubic-bezier(.16,1,.3,1)' });
}
