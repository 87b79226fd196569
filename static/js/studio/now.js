import { RollingNumber } from '../roll.js';
import { avatar, element, fill } from '../ui/element.js';
import { count, counted } from '../ui/numbers.js';
import { Sparkline } from '../ui/sparkline.js';
import { Pulse } from './pulse.js';

const TICK_MS = 2_000;
const SUPPORTERS = 5;

/** The first column: what the stream earned today, how fast gifts come, who watches and who carries it. */
export class Now {
  #pulse = new Pulse();
  #day = { diamonds: 0, gifts: 0, utc: utcDay(Date.now()) };
  #as_of_ms = 0;
  #recent = [];
  #numbers = new Map();
  #timer = setInterval(() => this.#beat(), TICK_MS);
  #line;

  constructor() {
    for (const id of ['diamonds', 'rate', 'viewers']) document.getElementById(id).textContent = '···';
    this.giftsToday = document.getElementById('gifts-today');
    this.giftsToday.textContent = 'Checking';
    this.supporters = document.getElementById('top');
    this.top([]);
    this.#line = new Sparkline(document.getElementById('pulse'), (values) => {
      const known = values.filter((value) => value !== null);
      return `Gifts a minute over the last ${Math.ceil(known.length / 2)} minutes: ${known.at(-1)} now, ${Math.max(...known)} at most`;
    });
    this.#line.draw(this.#pulse.values(Date.now()));
  }

  close() {
    clearInterval(this.#timer);
    this.#line.close();
  }

  /** The server's totals of the (UTC) day until `as_of_ms` of the ledger's clock. Gifts of after that are added on top. */
  totals({ as_of_ms, diamonds_today, gifts_today }) {
    if (as_of_ms < this.#as_of_ms) return;
    this.#as_of_ms = as_of_ms;
    this.#recent = this.#recent.filter((gift) => gift.at_ms > as_of_ms);
    const utc = utcDay(as_of_ms);
    // Diamonds are live, gifts are counted when they are settled: the count goes back only for gifts given back.
    const counted_before = utc === this.#day.utc ? this.#day.gifts : 0;
    this.#day = { utc, diamonds: diamonds_today, gifts: Math.max(counted_before, gifts_today + this.#recent.length) };
    for (const { diamonds } of this.#recent) this.#day.diamonds += diamonds;
    this.#drawDay();
  }

  /** One gift arrived just now. */
  gift(gift) {
    this.#pulse.add(gift.at_ms);
    this.#count(gift);
  }

  /** One gift of today was given back; the next totals say what it was worth. */
  givenBack() {
    this.#day.gifts = Math.max(0, this.#day.gifts - 1);
  }

  /** Gifts of before this page was opened, for the line; there may be others before them unless they are `all`. */
  past(gifts, all) {
    if (!all && gifts.length > 0) this.#pulse.knownFrom(Math.min(...gifts.map((gift) => gift.at_ms)));
    for (const gift of gifts) this.#pulse.add(gift.at_ms);
    this.#beat();
  }

  viewers(viewers) {
    this.#roll('viewers', viewers);
  }

  top(items) {
    const most = Math.max(1, ...items.map((item) => item.coins));
    const rows = items.slice(0, SUPPORTERS).map((item, place) => {
      const bar = element('span.top__bar', { 'aria-hidden': 'true' });
      bar.style.setProperty('--share', String(item.coins / most));
      return element(
        'li.top__row',
        { data: { place: place + 1 } },
        avatar(item.id, item.name),
        element('span.top__name', {}, item.name),
        element('span.top__coins.coins', {}, count(item.coins), element('span.visually-hidden', {}, ' coins')),
        bar,
      );
    });
    const nobody = element('li.small.secondary', {}, 'Nobody yet tonight. The first gift opens this list.');
    fill(this.supporters, ...(rows.length > 0 ? rows : [nobody]));
  }

  #count({ at_ms, diamonds }) {
    if (at_ms <= this.#as_of_ms) return;
    this.#recent.push({ at_ms, diamonds });
    if (this.#day.utc !== utcDay(Date.now())) this.#day = { utc: utcDay(Date.now()), diamonds: 0, gifts: 0 };
    this.#day.diamonds += diamonds;
    this.#day.gifts += 1;
    this.#drawDay();
  }

  #drawDay() {
    this.#roll('diamonds', this.#day.diamonds);
    this.giftsToday.textContent = this.#day.gifts === 0 ? 'No gifts yet today' : `from ${counted(this.#day.gifts, 'gift')}`;
  }

  #beat() {
    const now = Date.now();
    this.#roll('rate', this.#pulse.rate(now));
    this.#line.draw(this.#pulse.values(now));
  }

  #roll(id, value) {
    if (!this.#numbers.has(id)) this.#numbers.set(id, new RollingNumber(document.getElementById(id)));
    this.#numbers.get(id).set(value);
  }
}

function utcDay(atMs) {
  return Math.floor(atMs / 86_400_000);
}
