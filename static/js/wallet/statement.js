import { element, fill } from '../ui/element.js';
import { GroupedEntries } from './entries.js';
import { titleOf } from './entry_words.js';
import { Months } from './months.js';
import { openReceipt } from './receipt.js';
import { counted } from '../ui/numbers.js';
import { dayName } from '../ui/times.js';

const PAGE_ENTRIES = 40;
const ENOUGH_ENTRIES = 12;
const PAGES_PER_LOOK = 4;
const WHOLE_PAGE = 200;
const PRINTED_ENTRIES = 2_000;

/** The wallet's history: newest first, filtered and searched over what has been loaded, older pages on demand. */
export class Statement {
  #entries = [];
  #next = null;
  #rooms = new Map();
  #filter = 'all';
  #query = '';
  #busy = false;
  #opened = 0;

  /** @param {{session: Session, names: GiftNames, state: (state: string) => void, reported: () => void}} parts */
  constructor({ session, names, state, reported }) {
    this.session = session;
    this.names = names;
    this.state = state;
    this.words = document.getElementById('statement-words');
    this.older = document.getElementById('older');
    this.search = document.getElementById('search');
    this.list = new GroupedEntries(document.getElementById('entries'), {
      names,
      rooms: this.#rooms,
      opened: (entry) => openReceipt(entry, { session, names, rooms: this.#rooms, reported }),
    });
    this.months = new Months({ session, names, rooms: this.#rooms, chosen: () => this.#load(), entries: () => this.#whole(), loaded: () => this.#loaded });
    this.older.addEventListener('click', () => this.#showOlder());
    this.search.addEventListener('input', () => this.#narrow(this.#filter, this.search.value));
    this.filters = [...document.querySelectorAll('[data-filter]')];
    for (const chip of this.filters) chip.addEventListener('click', () => this.#narrow(chip.dataset.filter, this.#query));
  }

  /** Load the newest page of whoever is signed in, and the months there are. */
  async open() {
    this.months.open();
    await this.#load();
  }

  async #load() {
    this.#opened += 1;
    const opened = this.#opened;
    this.#entries = [];
    this.#next = null;
    this.#busy = true;
    this.older.hidden = true;
    this.words.textContent = '';
    this.list.wait();
    try {
      const [page] = await Promise.all([this.#page(null), this.#learnRooms()]);
      if (opened !== this.#opened) return;
      this.#entries = page.entries;
      this.#next = page.next;
      this.#busy = false;
      this.months.show(page);
      this.#draw();
      this.state('ready');
    } catch (error) {
      if (opened !== this.#opened) return;
      this.#busy = false;
      this.months.show(null);
      this.list.refuse(error.message, () => (this.months.month === '' ? this.open() : this.#load()));
      this.state('refused');
    }
  }

  /** The balance moved: put what is new on top. Quiet when it fails; the next move asks again. */
  async refresh() {
    if (this.#busy) return;
    const opened = this.#opened;
    const page = await this.#page(null).catch(() => null);
    if (page === null || opened !== this.#opened) return;
    this.months.moved(page);
    const known = new Set(this.#entries.map((entry) => entry.transfer));
    const fresh = page.entries.filter((entry) => !known.has(entry.transfer));
    const joined = fresh.length < page.entries.length || this.#entries.length === 0;
    this.#entries = joined ? [...fresh, ...this.#entries] : page.entries;
    if (!joined || known.size === 0) this.#next = page.next;
    this.#draw(new Set(fresh.map((entry) => entry.transfer)));
  }

  async #narrow(filter, query) {
    this.#filter = filter;
    this.#query = query.trim().toLowerCase();
    for (const chip of this.filters) chip.setAttribute('aria-pressed', String(chip.dataset.filter === filter));
    this.#draw();
    await this.#lookFurther();
  }

  async #showOlder() {
    const before = this.#matching().length;
    await this.#more();
    if (this.#matching().length === before) await this.#lookFurther();
  }

  /** A narrow filter may match nothing on the pages loaded so far: look at a few more before asking the reader. */
  async #lookFurther() {
    for (let page = 0; page < PAGES_PER_LOOK && this.#next !== null; page += 1) {
      if (this.#matching().length >= ENOUGH_ENTRIES || !(await this.#more())) return;
    }
  }

  async #more(limit = PAGE_ENTRIES) {
    if (this.#busy || this.#next === null) return false;
    this.#busy = true;
    this.older.setAttribute('aria-disabled', 'true');
    const opened = this.#opened;
    try {
      const page = await this.#page(this.#next, limit);
      if (opened !== this.#opened) return false;
      this.#entries = [...this.#entries, ...page.entries];
      this.#next = page.next;
      this.#draw();
      return true;
    } catch (error) {
      this.words.textContent = `Older entries did not come. ${error.message}`;
      return false;
    } finally {
      if (opened === this.#opened) this.#busy = false;
      this.older.removeAttribute('aria-disabled');
    }
  }

  #page(before, limit = PAGE_ENTRIES) {
    return this.session.get(this.months.path({ limit, ...(before !== null && { before }) }));
  }

  /** Bring everything there is of what is shown, up to a number that can be printed. */
  async #whole() {
    while (this.#next !== null && this.#entries.length < PRINTED_ENTRIES && (await this.#more(WHOLE_PAGE)));
  }

  /** What has come of what is shown, newest first; `whole` says if that is all. */
  get #loaded() {
    return { entries: this.#entries, whole: this.#next === null };
  }

  async #learnRooms() {
    const answer = await this.session.get('/v1/rooms').catch(() => ({ rooms: [] }));
    for (const room of answer.rooms) this.#rooms.set(room.id, room);
  }

  #matching() {
    return this.#entries.filter((entry) => {
      if (this.#filter === 'gifts' && entry.kind !== 'gift') return false;
      if (this.#filter === 'credits' && entry.amount_coins <= 0) return false;
      return this.#query === '' || this.#haystack(entry).includes(this.#query);
    });
  }

  #haystack(entry) {
    const room = this.#rooms.get(entry.room);
    const parts = [titleOf(entry, this.names), entry.room, room?.title, entry.creator, room?.creator.name, entry.transfer, dayName(entry.at_ms)];
    return parts.filter(Boolean).join(' ').toLowerCase();
  }

  #draw(fresh = new Set()) {
    const matching = this.#matching();
    this.list.draw(matching, { fresh, more: this.#next !== null });
    this.older.hidden = this.#next === null;
    this.words.textContent = this.#summary(matching.length);
    if (this.#entries.length > 0) return;
    const live = element('a.button.button--quiet', { href: '/' }, 'See who is live');
    fill(this.list.host, element('div.entries__empty', {}, element('p', {}, 'Nothing here yet. Your first coins and gifts will stand here, to the coin.'), live));
  }

  #summary(matching) {
    const loaded = this.#entries.length;
    if (loaded === 0) return '';
    const narrowed = this.#query !== '' || this.#filter !== 'all';
    const beginning = this.months.month === '' ? 'from the very beginning' : 'all of this month';
    const reach = this.#next === null ? beginning : `back to ${dayName(this.#entries.at(-1).at_ms)}`;
    if (!narrowed) return `${counted(loaded, 'entry', 'entries')}, ${reach}.`;
    const found = matching === 0 ? 'Nothing matches' : `${counted(matching, 'entry', 'entries')} of ${loaded}`;
    return `${found}, ${reach}.`;
  }
}
