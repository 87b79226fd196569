import { GiftClient } from '../giftclient.js';
import { Feed } from './feed.js';
import { Now } from './now.js';
import { OnAir } from './on_air.js';
import { OverlayLink } from './overlay_link.js';
import { Preview } from './preview.js';
import { TestGifts } from './test_gifts.js';

const TOTALS_EVERY_MS = 20_000;
const HISTORY_GIFTS = 80;
const FILL_GIFTS = 500;
const FILL_PAGES = 10;
const FILL_AFTER_MS = 700;
const CONNECTION_WORDS = { connecting: 'Connecting', open: 'Connected', waiting: 'Reconnecting', closed: 'Disconnected' };

/** One room as its creator sees it: the socket, the totals of the day, and the three columns they feed. */
export class Stream {
  #closed = false;
  #timer = 0;
  #fillTimer = null;
  #missing = 0;
  #whole = 0;
  #onVisible = () => !document.hidden && this.#refreshTotals();

  /** @param {{session: Session, names: GiftNames, room: string, refused: (error: Error) => void}} parts */
  constructor({ session, names, room, refused }) {
    this.session = session;
    this.room = room;
    this.refused = refused;
    this.path = `/v1/studio/${encodeURIComponent(room)}`;
    this.now = new Now();
    this.preview = new Preview(names);
    this.feed = new Feed({ names, room, replay: (gift) => this.preview.replay(gift), older: (before) => this.#older(before) });
    this.onAir = new OnAir(session, room);
    this.link = new OverlayLink(session, this.path);
    this.tests = new TestGifts({ session, names, path: this.path });
    this.client = new GiftClient({ room, storage: null, getTicket: () => session.getTicket() });
  }

  /** Ask for the totals (which also says whether this person may be here), then follow the room. */
  async open() {
    const totals = await this.session.get(this.path);
    if (this.#closed) return;
    this.now.totals(totals);
    this.feed.unshown(totals.unshown);
    this.feed.refunded(totals.refunded);
    this.link.show(totals.overlay_url);
    this.#listen();
    this.client.connect();
    this.#timer = setInterval(() => this.#onVisible(), TOTALS_EVERY_MS);
    document.addEventListener('visibilitychange', this.#onVisible);
  }

  close() {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#fillTimer);
    document.removeEventListener('visibilitychange', this.#onVisible);
    this.client.close();
    for (const part of [this.now, this.feed, this.preview, this.onAir, this.link, this.tests]) part.close();
  }

  #listen() {
    const on = (type, listener) => this.client.addEventListener(type, ({ detail }) => this.#closed || listener(detail));
    on('state', ({ state }) => this.#connection(state));
    on('welcome', (welcome) => this.#welcome(welcome));
    on('snapshot', (snapshot) => this.#snapshot(snapshot));
    on('gift', (gift) => this.#gift(gift));
    on('combo_ended', (combo) => this.#comboEnded(combo));
    on('gifts_folded', (folded) => this.#folded(folded));
    on('rendered', ({ offsets }) => this.feed.rendered(offsets));
    on('refunded', ({ transfer }) => {
      this.feed.refunded([transfer]);
      this.now.givenBack();
      this.#refreshTotals();
    });
    on('test_gift', (gift) => this.preview.test(gift));
    on('viewers', ({ count }) => this.now.viewers(count));
    on('top', ({ items }) => this.now.top(items));
    on('room', (room) => this.onAir.show(room));
  }

  #connection(state) {
    const pill = document.getElementById('connection');
    pill.dataset.state = state;
    pill.textContent = CONNECTION_WORDS[state] ?? state;
    document.documentElement.dataset.connection = state;
  }

  #snapshot(snapshot) {
    this.now.viewers(snapshot.viewers);
    this.now.top(snapshot.top);
    this.onAir.show(snapshot);
  }

  /** A resumed connection replays what was missed by itself; any other start fills the feed from the room's history. */
  async #welcome(welcome) {
    this.#refreshTotals();
    if (welcome.resumed && this.feed.epoch === welcome.epoch) return;
    this.#whole = welcome.offset;
    this.feed.restart(welcome.epoch);
    this.preview.restart(welcome.epoch);
    const after = Math.max(0, welcome.offset - HISTORY_GIFTS);
    await this.#load(after, HISTORY_GIFTS, (gifts) => this.now.past(gifts, after === 0));
    if (!this.#closed) this.feed.loaded();
  }

  #gift(gift) {
    this.#passed(gift.offset);
    this.now.gift(gift);
    this.feed.add([gift]);
    this.preview.show(gift);
  }

  #comboEnded(combo) {
    this.#passed(combo.offset);
    this.preview.endCombo(combo);
  }

  /** Under load the server sends sums; the studio still lists every gift, so it fetches them, once a moment. */
  #folded(folded) {
    this.preview.fold(folded);
    this.#missing = Math.max(this.#missing, folded.offset);
    this.#fillTimer ??= setTimeout(() => this.#fill(), FILL_AFTER_MS);
  }

  #passed(offset) {
    if (offset === this.#whole + 1) this.#whole = offset;
  }

  async #fill() {
    const until = this.#missing;
    for (let page = 0; page < FILL_PAGES && this.#whole < until && !this.#closed; page += 1) {
      const got = await this.#load(this.#whole, FILL_GIFTS, (gifts) => gifts.forEach((gift) => this.now.gift(gift)));
      this.#whole = got?.next ?? Math.max(until, this.#whole);
    }
    this.#fillTimer = null;
    if (!this.#closed && this.#whole < this.#missing) this.#fillTimer = setTimeout(() => this.#fill(), FILL_AFTER_MS);
  }

  /** Gifts before an offset. @returns {Promise<boolean>} false when there are none, or the history is not kept that long */
  async #older(before) {
    const after = Math.max(0, before - 1 - HISTORY_GIFTS);
    const page = await this.#load(after, before - 1 - after);
    return page === null || page.gifts.some((gift) => gift.offset < before);
  }

  /** A page of the room's history into the feed; `then` gets what was new. @returns {Promise<object|null>} null when it did not come */
  async #load(after, limit, then = () => {}) {
    if (limit <= 0) return null;
    const query = new URLSearchParams({ epoch: this.feed.epoch, after, limit });
    try {
      const page = await this.session.get(`/v1/rooms/${encodeURIComponent(this.room)}/gifts?${query}`);
      if (this.#closed || page.epoch !== this.feed.epoch) return null;
      then(this.feed.add(page.gifts, { quiet: true }));
      return page;
    } catch (error) {
      if (!this.#closed) this.feed.excuse(error.message, () => this.#load(after, limit, then));
      return null;
    }
  }

  async #refreshTotals() {
    const asked_ms = Date.now();
    try {
      const totals = await this.session.get(this.path);
      if (this.#closed) return;
      this.now.totals(totals);
      this.feed.unshown(totals.unshown, asked_ms);
      this.feed.refunded(totals.refunded);
    } catch (error) {
      if (!this.#closed && (error.status === 401 || error.status === 403)) this.refused(error);
    }
  }
}
