import { element } from '../ui/element.js';
import { count, signed } from '../ui/numbers.js';
import { exactTime, monthName } from '../ui/times.js';
import { recipientOf, roomOf, titleOf } from './entry_words.js';

/**
 * A month, or all history, on paper: title, person, sums, and entries as a table, oldest first. It is seen only in print.
 *
 * @param {{answer: object, entries: object[], whole: boolean, sums: Node[], person: object, names: GiftNames, rooms: Map}} parts
 *   `answer` of a month, or only its `zone`; `entries` newest first; `whole` false: there are more of them than are printed
 */
export function printedStatement({ answer, entries, whole, sums, person, names, rooms }) {
  const ofMonth = answer.month !== undefined;
  const head = element('tr', {}, ...['When', 'What', 'Coins', 'Balance'].map((title) => element('th', { scope: 'col' }, title)));
  const clock = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit', ...(!ofMonth && { year: 'numeric' }), timeZone: answer.zone });
  const until = answer.so_far ? ', so far' : '';
  const rest = ofMonth ? 'entries of the month. The file (CSV) has all.' : 'entries. Choose a month to have all of it.';
  return element(
    'section.printed',
    { 'aria-label': 'Printed statement' },
    element('h1', {}, `Statement of coins, ${ofMonth ? monthName(answer.month) : 'all history'}${until}`),
    element('p', {}, `${person.name} (${person.id})`),
    element('p', {}, `Times of ${answer.zone}, printed on ${exactTime(Date.now())}.`),
    ...sums,
    element('table.printed__entries', {}, element('thead', {}, head), element('tbody', {}, ...entries.toReversed().map((entry) => row(entry, clock, names, rooms)))),
    !whole && element('p', {}, `These are the last ${count(entries.length)} ${rest}`),
  );
}

function row(entry, clock, names, rooms) {
  const what = [titleOf(entry, names), recipientOf(entry, rooms), roomOf(entry, rooms)].filter(Boolean).join(', ');
  return element(
    'tr',
    {},
    element('td', {}, clock.format(entry.at_ms)),
    element('td', {}, what),
    element('td.printed__number', {}, signed(entry.amount_coins)),
    element('td.printed__number', {}, count(entry.balance_coins)),
  );
}
