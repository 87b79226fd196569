import { coinArt, giftArt } from '../ui/art.js';
import { element, fill } from '../ui/element.js';
import { count, counted, signed } from '../ui/numbers.js';
import { clockTime, dayName } from '../ui/times.js';
import { recipientOf, roomOf, titleOf } from './entry_words.js';

/** Entries of a statement under the day they happened on; each row is a button that opens its receipt. */
export class GroupedEntries {
  #rows = new Map();

  /** @param {HTMLElement} host @param {{names: GiftNames, rooms: Map, opened: (entry: object) => void}} parts */
  constructor(host, { names, rooms, opened }) {
    this.host = host;
    this.names = names;
    this.rooms = rooms;
    this.opened = opened;
  }

  /** Grey rows while the first page is on its way. */
  wait() {
    this.#rows.clear();
    this.host.setAttribute('aria-busy', 'true');
    fill(this.host, ...Array.from({ length: 6 }, () => element('div.skeleton.entries__skeleton')));
  }

  refuse(text, again) {
    this.host.removeAttribute('aria-busy');
    const button = element('button.button.button--quiet', { type: 'button' }, 'Load the statement again');
    button.addEventListener('click', again);
    fill(this.host, element('div.entries__empty', { role: 'alert' }, element('p', {}, `Your statement did not come. ${text}`), button));
  }

  /**
   * @param {object[]} entries newest first
   * @param {{fresh: Set<string>, more: boolean}} how `fresh` transfers just arrived and glow; with `more` to come the
   *   oldest day may not be whole, so it gets no sum
   */
  draw(entries, { fresh, more }) {
    this.host.removeAttribute('aria-busy');
    const focused = document.activeElement?.closest?.('.entry')?.dataset.transfer;
    const days = [...byDay(entries)];
    fill(this.host, ...days.map(([day, members], place) => this.#day(day, members, fresh, !more || place < days.length - 1)));
    if (focused) this.#rows.get(focused)?.firstElementChild.focus({ preventScroll: true });
  }

  #day(day, entries, fresh, whole) {
    const sum = entries.reduce((total, entry) => total + entry.amount_coins, 0);
    return element(
      'section.day',
      { 'aria-label': day },
      element('header.day__head', {}, element('h3', {}, day), whole && element('span.small.secondary', {}, signed(sum))),
      element('ul.day__entries', {}, ...entries.map((entry) => this.#row(entry, fresh.has(entry.transfer)))),
    );
  }

  #row(entry, fresh) {
    const known = this.#rows.get(entry.transfer);
    if (known) return known;
    const credit = entry.amount_coins > 0;
    const art = entry.gift !== null ? giftArt(this.names, entry.gift) : coinArt(credit ? 'plus' : 'rotate');
    const where = [recipientOf(entry, this.rooms), roomOf(entry, this.rooms)].filter(Boolean).join(' · ');
    const button = element(
      'button.entry',
      { type: 'button', data: { transfer: entry.transfer, kind: entry.kind, fresh: String(fresh) } },
      art,
      element(
        'span.entry__what',
        {},
        element('span.entry__title', {}, titleOf(entry, this.names)),
        element('span.entry__where.small.secondary', {}, element('span.entry__time', {}, clockTime(entry.at_ms)), where && ` · ${where}`),
      ),
      element('span.entry__amount', { data: { sign: credit ? 'plus' : 'minus' } }, signed(entry.amount_coins), element('span.visually-hidden', {}, ' coins')),
      element(
        'span.entry__balance.small.secondary',
        {},
        element('span.visually-hidden', {}, `balance after: ${counted(entry.balance_coins, 'coin')}`),
        element('span', { 'aria-hidden': 'true' }, `${count(entry.balance_coins)} left`),
      ),
    );
    button.addEventListener('click', () => this.opened(entry));
    const row = element('li', {}, button);
    this.#rows.set(entry.transfer, row);
    return row;
  }
}

function byDay(entries) {
  const days = new Map();
  for (const entry of entries) {
    const day = dayName(entry.at_ms);
    days.set(day, [...(days.get(day) ?? []), entry]);
  }
  return days;
}
