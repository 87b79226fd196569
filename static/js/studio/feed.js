import { element, fill } from '../ui/element.js';
import { counted } from '../ui/numbers.js';
import { FeedRow } from './feed_row.js';
import { Thanked } from './thanked.js';

const KEEP_GIFTS = 2_000;
const DRAW_ROWS = 150;
const AGES_EVERY_MS = 10_000;
const AT_TOP_PX = 24;
const PAGES_PER_LOOK = 5;

/**
 * Every gift of the room, newest first, one row per gift however fast they come. Rows are drawn once a frame and at
 * most DRAW_ROWS of them stand in the page; a reader who scrolled down is not moved by what arrives on top.
 */
export class Feed {
  epoch = null;
  #gifts = new Map();
  #waiting = new Map();
  #rows = new Map();
  #refunded = new Set();
  #only = 'all';
  #extra = 0;
  #frame = 0;
  #fresh = 0;
  #loaded = false;
  #whole = false;
  #heard = new AbortController();

  /** @param {{names: GiftNames, room: string, replay: (gift: object) => void, older: (before: number) => Promise<boolean>}} parts */
  constructor({ names, room, replay, older }) {
    this.parts = { names, replay, thanked: new Thanked(room) };
    this.older = older;
    this.list = document.getElementById('feed');
    this.scroll = document.getElementById('feed-scroll');
    this.words = document.getElementById('feed-words');
    this.newer = document.getElementById('feed-new');
    this.more = document.getElementById('feed-older');
    this.#wire();
    this.timer = setInterval(() => this.#rows.forEach((row) => row.age()), AGES_EVERY_MS);
    fill(this.list);
    fill(this.words, ...Array.from({ length: 4 }, () => element('div.skeleton.feed__skeleton')));
  }

  close() {
    this.#heard.abort();
    clearInterval(this.timer);
    cancelAnimationFrame(this.#frame);
    fill(this.list);
  }

  /** Begin again in `epoch`: nothing from before is kept. */
  restart(epoch) {
    this.epoch = epoch;
    this.#gifts.clear();
    this.#rows.clear();
    this.#extra = 0;
    this.#loaded = false;
    this.#whole = false;
    this.#later();
  }

  /** The first page of history is here, or could not be had. */
  loaded() {
    this.#loaded = true;
    this.#later();
  }

  /**
   * @param {object[]} gifts pushes, in any order
   * @param {{quiet?: boolean}} [how] quiet ones are from the history, not of this moment
   * @returns {object[]} those whose offset was not known
   */
  add(gifts, { quiet = false } = {}) {
    const added = gifts.filter((gift) => !this.#gifts.has(gift.offset));
    for (const gift of added) {
      this.#gifts.set(gift.offset, gift);
      if (!quiet) {
        if (!this.#waiting.has(gift.offset)) this.#waiting.set(gift.offset, Date.now());
        if (this.scroll.scrollTop > AT_TOP_PX) this.#fresh += 1;
      }
    }
    this.#later();
    return added;
  }

  /** The server's list of what no overlay has shown, asked for at `asked_ms`; newer arrivals stay waiting. */
  unshown(offsets, asked_ms = Date.now()) {
    const newer = [...this.#waiting].filter(([, since_ms]) => since_ms >= asked_ms);
    this.#waiting = new Map([...offsets.map((offset) => [offset, 0]), ...newer]);
    this.#later();
  }

  /** An overlay has shown these. */
  rendered(offsets) {
    for (const offset of offsets) this.#waiting.delete(offset);
    this.#later();
  }

  /** These transfers were given back to their senders. */
  refunded(transfers) {
    for (const transfer of transfers) this.#refunded.add(transfer);
    this.#later();
  }

  /** A page of history did not come. */
  excuse(text, again) {
    this.#loaded = true;
    const button = element('button.button.button--quiet', { type: 'button' }, 'Load them again');
    button.addEventListener('click', () => {
      fill(this.words);
      again();
    });
    fill(this.words, element('p', { role: 'alert' }, `Earlier gifts did not come. ${text}`), button);
  }

  #wire() {
    const { signal } = this.#heard;
    const chips = [...document.querySelectorAll('[data-feed]')];
    for (const chip of chips) {
      chip.addEventListener('click', () => {
        this.#only = chip.dataset.feed;
        for (const one of chips) one.setAttribute('aria-pressed', String(one === chip));
        this.scroll.scrollTop = 0;
        this.#later();
      }, { signal });
    }
    this.newer.addEventListener('click', () => this.scroll.scrollTo({ top: 0 }), { signal });
    this.scroll.addEventListener('scroll', () => {
      if (this.scroll.scrollTop > AT_TOP_PX || this.#fresh === 0) return;
      this.#fresh = 0;
      this.#later();
    }, { signal });
    this.more.addEventListener('click', () => this.#showOlder(), { signal });
    for (const chip of chips) chip.setAttribute('aria-pressed', String(chip.dataset.feed === this.#only));
  }

  async #showOlder() {
    this.more.disabled = true;
    this.#extra += DRAW_ROWS / 2;
    const before = this.#matching().length;
    for (let page = 0; page < PAGES_PER_LOOK && this.#lacksOlder(); page += 1) {
      this.#whole = !(await this.older(this.#oldest()));
      if (this.#matching().length > before) break;
    }
    this.more.disabled = false;
    this.#later();
  }

  #later() {
    if (this.#frame !== 0 || this.#heard.signal.aborted) return;
    // A hidden tab draws no frames; its feed is drawn when it is seen again.
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #matching() {
    const offsets = [...this.#gifts.keys()].sort((one, other) => other - one);
    for (const offset of offsets.splice(KEEP_GIFTS)) {
      this.#gifts.delete(offset);
    }
    return this.#only === 'all' ? offsets : offsets.filter((offset) => this.#waiting.has(offset));
  }

  #draw() {
    const offsets = this.#matching();
    const drawn = offsets.slice(0, DRAW_ROWS + this.#extra);
    const keep = new Set(drawn);
    for (const [offset, row] of this.#rows) {
      if (keep.has(offset)) continue;
      row.node.remove();
      this.#rows.delete(offset);
    }
    let place = this.list.firstElementChild;
    for (const offset of drawn) {
      const row = this.#row(offset);
      row.shown(!this.#waiting.has(offset));
      if (this.#refunded.has(row.gift.transfer)) row.refunded();
      if (row.node === place) place = place.nextElementSibling;
      else this.list.insertBefore(row.node, place);
    }
    this.#around(offsets, drawn);
  }

  #around(offsets, drawn) {
    document.getElementById('unshown-count').textContent = String(this.#waiting.size);
    this.newer.hidden = this.#fresh === 0;
    this.newer.textContent = `${counted(this.#fresh, 'new gift')} above`;
    this.more.hidden = drawn.length === offsets.length && !this.#lacksOlder();
    if (drawn.length > 0) fill(this.words);
    else if (this.#loaded && !this.words.querySelector('[role="alert"]')) fill(this.words, element('p', {}, this.#nothing()));
  }

  #oldest() {
    return Math.min(...this.#gifts.keys());
  }

  /** Are there gifts before the ones held here that belong into this view? */
  #lacksOlder() {
    if (this.#whole || this.#gifts.size === 0 || this.#gifts.has(1)) return false;
    const oldest = this.#oldest();
    return this.#only === 'all' || [...this.#waiting.keys()].some((offset) => offset < oldest);
  }

  #nothing() {
    if (this.#only === 'unshown' && this.#waiting.size > 0) return 'Older gifts wait to be shown.';
    if (this.#only === 'unshown') return 'Your overlay has shown everything that was paid for.';
    return 'No gifts yet. They appear here the moment they are sent.';
  }

  #row(offset) {
    if (!this.#rows.has(offset)) this.#rows.set(offset, new FeedRow(this.#gifts.get(offset), this.parts, this.epoch));
    return this.#rows.get(offset);
  }
}
