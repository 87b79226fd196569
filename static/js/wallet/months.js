import { element, fill } from '../ui/element.js';
import { counted, signed } from '../ui/numbers.js';
import { price } from '../ui/money.js';
import { monthName } from '../ui/times.js';
import { toast } from '../ui/toast.js';
import { creatorOf, kindOf } from './entry_words.js';
import { printedStatement } from './printed.js';

const UTC = 'UTC';
const MONEY = [
  ['paid_minor', 'Paid for coins'],
  ['refunded_minor', 'Given back to you'],
  ['disputed_minor', 'Disputed'],
  ['dispute_won_minor', 'Disputes decided: the payment stands'],
  ['dispute_lost_minor', 'Disputes decided: the money went back'],
];

/** The month that the statement is of: its choice, its sums, its file and its paper. */
export class Months {
  #shown = null;
  #opened = 0;
  #zone = Intl.DateTimeFormat().resolvedOptions().timeZone || UTC;

  /**
   * @param {{session: Session, names: GiftNames, rooms: Map, chosen: () => void, entries: () => Promise<void>, loaded: () => object}} parts
   *   `chosen` hears that another month is asked for; `entries` brings all of the one that is shown, `loaded` is what has come
   */
  constructor({ session, names, rooms, chosen, entries, loaded }) {
    this.session = session;
    this.names = names;
    this.rooms = rooms;
    this.entries = entries;
    this.loaded = loaded;
    this.tools = document.getElementById('month-tools');
    this.choice = document.getElementById('month');
    this.sums = document.getElementById('month-sums');
    this.file = document.getElementById('month-csv');
    this.paper = document.getElementById('month-print');
    this.choice.addEventListener('change', () => {
      this.show(null);
      chosen();
    });
    this.file.addEventListener('click', () => this.#download());
    this.paper.addEventListener('click', () => this.#print());
    window.addEventListener('keydown', (event) => this.#printByKey(event));
    window.addEventListener('beforeprint', () => this.#lay());
    window.addEventListener('afterprint', () => document.querySelector('.printed')?.remove());
  }

  /** "2026-03", or empty while everything is shown. */
  get month() {
    return this.choice.value;
  }

  /** Where the entries come from, page by page. */
  path(query) {
    if (this.month === '') return `/v1/wallet/history?${new URLSearchParams(query)}`;
    return this.#of('', query);
  }

  /** Which months there are, of whoever is signed in; everything is shown at first. */
  async open() {
    this.tools.hidden = true;
    fill(this.choice, new Option('All history', ''));
    this.show(null);
    await this.#list();
  }

  /** Draw the sums of a month that came with its entries; null or a page of everything takes them away. */
  show(answer) {
    this.#shown = answer?.month === undefined ? null : answer;
    const shown = this.#shown !== null;
    this.sums.hidden = !shown;
    this.file.hidden = !shown;
    this.paper.hidden = !shown;
    fill(this.sums, ...(shown ? sumsOf(answer, this.rooms) : []));
  }

  /** Coins moved: the sums follow, and so do the months when there was none before. */
  moved(answer) {
    this.show(answer);
    if (this.choice.options.length === 1) this.#list();
  }

  async #list() {
    this.#opened += 1;
    const opened = this.#opened;
    const answer = await this.#months().catch(() => null);
    if (answer === null || opened !== this.#opened) return;
    for (const { month, so_far } of answer.months) this.choice.append(new Option(`${monthName(month)}${so_far ? ' so far' : ''}`, month));
    this.tools.hidden = answer.months.length === 0;
  }

  /** A zone that the server does not know is no reason to show nothing. */
  async #months() {
    const ask = () => this.session.get(`/v1/wallet/statements?${new URLSearchParams({ zone: this.#zone })}`);
    try {
      return await ask();
    } catch (error) {
      if (error.code !== 'bad_request' || this.#zone === UTC) throw error;
      this.#zone = UTC;
      return ask();
    }
  }

  #of(ending, query = {}) {
    return `/v1/wallet/statements/${this.month}${ending}?${new URLSearchParams({ zone: this.#zone, ...query })}`;
  }

  async #download() {
    this.file.disabled = true;
    try {
      const address = URL.createObjectURL(await this.session.file(this.#of('.csv')));
      element('a', { href: address, download: `coins-${this.month}.csv` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    } catch (error) {
      toast(`The file did not come. ${error.message}`, { tone: 'bad', action: { label: 'Try again', run: () => this.#download() } });
    } finally {
      this.file.disabled = false;
    }
  }

  /** The browser's own way to print waits for nothing: the entries that are not there yet are brought before it. */
  #printByKey(event) {
    if (event.key.toLowerCase() !== 'p' || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
    if (this.#shown === null || this.loaded().whole) return;
    event.preventDefault();
    if (!this.paper.disabled) this.#print();
  }

  async #print() {
    this.paper.disabled = true;
    const answer = this.#shown;
    await this.entries();
    this.paper.disabled = false;
    if (answer === this.#shown) window.print();
  }

  /** However it is printed, the paper has its head: what has come of the statement, and that it is not all, if so. */
  #lay() {
    const { entries, whole } = this.loaded();
    if (this.session.me === null || (this.#shown === null && entries.length === 0)) return;
    const answer = this.#shown ?? { zone: this.#zone };
    const sums = this.#shown === null ? [] : sumsOf(answer, this.rooms);
    document.querySelector('.printed')?.remove();
    document.body.append(printedStatement({ answer, entries, whole, sums, person: this.session.me, names: this.names, rooms: this.rooms }));
  }
}

/** The sums of a month: what was there and is left, what moved by kind, money, and who got most. */
function sumsOf(answer, rooms) {
  const end = answer.so_far ? 'So far' : 'At the end';
  const balances = [['At the beginning', answer.opening_coins], [end, answer.closing_coins]];
  return [
    element('dl.month__balances', {}, ...balances.map(([term, coins]) => element('div', {}, element('dt', {}, term), element('dd.coins', {}, counted(coins, 'coin'))))),
    list('What moved', answer.totals.map((total) => [kindOf(total), numberOf(total, answer), signed(total.coins)])),
    list('Money', answer.money.flatMap((moved) => MONEY.filter(([field]) => moved[field] > 0).map(([field, words]) => [words, '', amountOf(moved, field)]))),
    list('To creators', answer.creators.map((share) => [nameOf(share, rooms), counted(share.gifts, 'gift'), counted(share.coins, 'coin')])),
  ];
}

function numberOf(total, answer) {
  if (total.kind === 'gift') return counted(answer.gifts_sent, 'gift');
  return total.kind === 'refund' ? counted(answer.gifts_returned, 'gift') : counted(total.entries, 'entry', 'entries');
}

function amountOf({ currency, exponent, ...moved }, field) {
  return price({ amount_minor: moved[field], currency, exponent });
}

function nameOf({ creator }, rooms) {
  const theirs = [...rooms.values()].find((room) => room.creator.id === creator);
  return creatorOf({ creator, room: theirs?.id }, rooms);
}

function list(title, rows) {
  if (rows.length === 0) return null;
  const drawn = rows.map(([what, number, amount]) =>
    element('li.month__row', {}, element('span', {}, what), element('span.small.secondary', {}, number), element('span.month__amount', {}, amount)),
  );
  return element('div.month__part', {}, element('h3.month__title', {}, title), element('ul', {}, ...drawn));
}
