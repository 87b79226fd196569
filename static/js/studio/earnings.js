import { PayoutDesk } from '../payouts/desk.js';
import { RollingNumber } from '../roll.js';
import { element, fill } from '../ui/element.js';
import { count, counted } from '../ui/numbers.js';
import { daysUntil, shortDate } from '../ui/times.js';

const EVERY_MS = 30_000;
const PARTS = ['paid', 'held', 'available', 'pending'];
const TITLES = { paid: 'Paid', held: 'On its way', available: 'Available', pending: 'Pending' };

/** The earnings tab: one bar for everything ever earned, a sentence for every part of it, and being paid out. */
export class Earnings {
  #room = null;
  #own = false;
  #desk = null;
  #shown = false;
  #timer = 0;
  #asked = 0;
  #total;

  /** @param {HTMLElement} host @param {Session} session */
  constructor(host, session) {
    this.host = host;
    this.session = session;
  }

  /** @param {string} room @param {boolean} own whether it is the reader's: only they are paid out here */
  open(room, own) {
    this.#room = room;
    this.#own = own;
    if (this.#shown) this.#load();
  }

  close() {
    this.#room = null;
    this.#asked += 1;
    clearTimeout(this.#timer);
    this.#clear();
  }

  /** The tab was chosen or left. */
  show(shown) {
    this.#shown = shown;
    clearTimeout(this.#timer);
    if (shown && this.#room) this.#load();
    else this.#desk?.rest();
  }

  #clear() {
    this.#desk?.close();
    this.#desk = null;
    this.#total = undefined;
    fill(this.host);
  }

  /** Everything that stands there, as it is now. */
  #load() {
    this.#desk?.check();
    return this.#loadEarnings();
  }

  async #loadEarnings() {
    clearTimeout(this.#timer);
    this.#asked += 1;
    const [room, asked] = [this.#room, this.#asked];
    if (!this.#total) fill(this.host, element('div.skeleton.earnings__skeleton'));
    try {
      const earnings = await this.session.get(`/v1/studio/${encodeURIComponent(room)}/earnings`);
      if (asked === this.#asked) this.#draw(earnings);
    } catch (error) {
      if (asked === this.#asked) this.#excuse(error);
    }
    if (asked === this.#asked && this.#shown) this.#wait();
  }

  /** Load again after a while; later, while nobody looks. */
  #wait() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (document.hidden ? this.#wait() : this.#load()), EVERY_MS);
  }

  /** What stands there stays while the server cannot be reached: a sheet may be open over it. */
  #excuse(error) {
    if (this.#total && error.temporary) return;
    const again = element('button.button.button--quiet', { type: 'button' }, 'Load again');
    again.addEventListener('click', () => this.#load());
    this.#clear();
    fill(this.host, element('div.earnings__excuse', { role: 'alert' }, element('p', {}, `Your earnings did not come. ${error.message}`), again));
  }

  #draw(earnings) {
    const amounts = Object.fromEntries(PARTS.map((part) => [part, earnings[`${part}_diamonds`]]));
    const total = PARTS.reduce((sum, part) => sum + amounts[part], 0);
    if (!this.#total) this.#build();
    this.#total.set(total);
    fill(this.bar, ...bar(amounts, earnings.days));
    fill(this.dates, ...dates(amounts, earnings.days));
    fill(this.lines, ...PARTS.toReversed().map((part) => line(part, amounts[part], sentence(part, amounts, earnings.days))));
    fill(this.days, ...days(earnings.days));
  }

  #build() {
    const number = element('span');
    this.bar = element('div.bar', { 'aria-hidden': 'true' });
    this.dates = element('p.bar__axis.tiny.secondary', { 'aria-hidden': 'true' });
    this.lines = element('dl.earnings__lines');
    this.days = element('div.days');
    this.#desk = this.#own ? new PayoutDesk({ session: this.session, moved: () => this.#loadEarnings() }) : null;
    const all = element(
      'section.earnings__all',
      { 'aria-labelledby': 'earnings-title' },
      element('h2.now__label', { id: 'earnings-title' }, 'Earned with gifts'),
      element('p.now__big.diamonds', {}, element('span.diamond-mark', { 'aria-hidden': 'true' }), number, element('span.visually-hidden', {}, ' diamonds')),
      this.bar,
      this.dates,
      this.lines,
    );
    fill(this.host, all, element('div.earnings__column', {}, this.#desk?.node, this.days));
    this.#total = new RollingNumber(number);
    this.#desk?.check();
  }
}

/** Paid, on its way, available, then what waits in the order it becomes available, one piece a day. */
function pieces(amounts, list) {
  const parts = ['paid', 'held', 'available'].map((part) => ({ part, diamonds: amounts[part] }));
  const waits = waiting(list).map((day) => ({ part: 'pending', diamonds: day.diamonds, until: day.available_on }));
  const rest = amounts.pending - waits.reduce((sum, day) => sum + day.diamonds, 0);
  return [...parts, { part: 'pending', diamonds: rest }, ...waits].filter((piece) => piece.diamonds > 0);
}

function bar(amounts, list) {
  const all = pieces(amounts, list);
  if (all.length === 0) return [element('span.bar__part', { data: { part: 'empty' } })];
  return all.map(({ part, diamonds, until }) => {
    const title = until ? `${counted(diamonds, 'diamond')}, available on ${shortDate(until)}` : `${counted(diamonds, 'diamond')}, ${TITLES[part].toLowerCase()}`;
    const segment = element('span.bar__part', { title, data: { part } });
    segment.style.setProperty('--share', String(diamonds));
    return segment;
  });
}

/** Under the bar: when the first and the last of what waits becomes available, where those pieces are. */
function dates(amounts, list) {
  const waits = waiting(list);
  if (waits.length === 0) return [];
  const before = element('span.bar__before');
  before.style.setProperty('--share', String(amounts.paid + amounts.held + amounts.available));
  const span = element('span.bar__dates', {}, element('span', {}, shortDate(waits[0].available_on)), waits.length > 1 && element('span', {}, shortDate(waits.at(-1).available_on)));
  span.style.setProperty('--share', String(amounts.pending));
  return [before, span];
}

/** Days still waiting, soonest first. */
function waiting(list) {
  return list.filter((day) => daysUntil(day.available_on) > 0).sort((one, other) => one.available_on.localeCompare(other.available_on));
}

function line(part, amount, words) {
  return element(
    'div.earnings__line',
    { data: { part } },
    element('dt', {}, element('span.earnings__swatch', { 'aria-hidden': 'true' }), TITLES[part]),
    element('dd.earnings__amount', {}, count(amount)),
    element('dd.earnings__words.small.secondary', {}, words),
  );
}

function sentence(part, amounts, list) {
  const [next] = waiting(list);
  if (part === 'paid') return amounts.paid === 0 ? 'Nothing has been paid out so far.' : 'Already paid out to you.';
  if (part === 'held') {
    if (amounts.held === 0) return 'Nothing is on its way to you.';
    return 'Set aside for payouts that you asked for. What is not paid comes back.';
  }
  if (part === 'pending') {
    if (!next) return 'Nothing is waiting. What you earn today waits 14 days here, in case a payment is taken back.';
    return `Every day waits 14 days, in case a payment is taken back. Next: ${counted(next.diamonds, 'diamond')} on ${shortDate(next.available_on)}, ${soon(next.available_on)}.`;
  }
  if (amounts.available > 0) return 'Through the 14 days and yours to be paid out.';
  return next ? `Nothing yet. The first diamonds arrive here on ${shortDate(next.available_on)}.` : nothing(amounts);
}

function nothing({ held, paid }) {
  return held + paid > 0 ? 'Nothing at the moment: it is on its way to you, or was paid.' : 'Nothing yet.';
}

function days(list) {
  if (list.length === 0) {
    return [element('p.secondary.earnings__none', {}, 'No gifts in the last 14 days. The day of your next stream will stand here.')];
  }
  const most = Math.max(1, ...list.map((day) => day.diamonds));
  const rows = [...list].sort((one, other) => other.day.localeCompare(one.day)).map((day) => {
    const length = element('span.days__bar', { 'aria-hidden': 'true' });
    length.style.setProperty('--share', String(day.diamonds / most));
    return element(
      'tr',
      {},
      element('th', { scope: 'row' }, shortDate(day.day)),
      element('td.days__length', {}, length),
      element('td.days__diamonds', {}, count(day.diamonds)),
      element('td.days__when', {}, shortDate(day.available_on), element('span.days__soon.secondary', {}, ` ${soon(day.available_on)}`)),
    );
  });
  const head = element('tr', {}, ...['Day', '', 'Diamonds', 'Available'].map((title) => (title ? element('th', { scope: 'col' }, title) : element('td'))));
  return [element('h2', {}, 'Day by day'), element('table.days__table', {}, element('thead', {}, head), element('tbody', {}, ...rows))];
}

function soon(isoDate) {
  const left = daysUntil(isoDate);
  if (left <= 0) return 'available now';
  return left === 1 ? 'tomorrow' : `in ${left} days`;
}
