import { RollingNumber } from '../roll.js';
import { wayOutOf } from '../refusals.js';
import { element, fill } from '../ui/element.js';
import { counted } from '../ui/numbers.js';
import { clockTime } from '../ui/times.js';
import { Hold } from './hold.js';

const EVERY_MS = 4_000;
const SOON_MS = 500;
const EXPECTED_WITHIN_MS = 10_000;
const AT_MOST_EVERY_MS = 60_000;

/**
 * The balance, asked for again every few seconds while the page is seen, more rarely while the server does not
 * answer. Until the first answer it says that it is checking: a balance that is not known is never shown as 0.
 */
export class Balance {
  #number;
  #timer = 0;
  #known = null;
  #checked_ms = 0;
  #wait_ms = EVERY_MS;
  #running = false;
  #asked = 0;
  #expected_until_ms = 0;
  #followers = new Set();

  /** @param {{session: Session, changed: () => void, held: (wallet: object) => void, refused: (state: string) => void}} parts `held` hears every answer */
  constructor({ session, changed, held, refused }) {
    this.session = session;
    this.changed = changed;
    this.held = held;
    this.refused = refused;
    this.shown = document.getElementById('balance');
    this.unknown = document.getElementById('balance-unknown');
    this.note = document.getElementById('balance-note');
    this.hold = new Hold();
    document.addEventListener('visibilitychange', () => {
      if (this.#running && !document.hidden) this.check();
    });
  }

  start() {
    this.#running = true;
    this.#known = null;
    this.#number = null;
    this.#wait_ms = EVERY_MS;
    this.shown.hidden = true;
    this.unknown.hidden = false;
    this.unknown.textContent = 'Checking your balance…';
    fill(this.note);
    this.hold.hide();
    this.check();
  }

  stop() {
    this.#running = false;
    this.#asked += 1;
    clearTimeout(this.#timer);
  }

  /** Coins were promised: look often until the balance moves, for a while at most. */
  expect() {
    this.#expected_until_ms = Date.now() + EXPECTED_WITHIN_MS;
    return this.check();
  }

  /** Hear the coins now, if they are known, and every time they are asked for. */
  follow(follower) {
    this.#followers.add(follower);
    if (this.#known !== null) follower(this.#known.coins);
  }

  forget(follower) {
    this.#followers.delete(follower);
  }

  /** Ask now. An answer that was overtaken by a later question is dropped. */
  async check() {
    clearTimeout(this.#timer);
    this.#asked += 1;
    const question = this.#asked;
    try {
      const wallet = await this.session.get('/v1/wallet');
      if (question !== this.#asked) return;
      this.#show(wallet);
      const moving = wallet.unsettled_coins > 0 || Date.now() < this.#expected_until_ms;
      this.#wait_ms = moving ? SOON_MS : EVERY_MS;
    } catch (error) {
      if (question !== this.#asked) return;
      this.#wait_ms = error.details.retry_after_ms ?? Math.min(AT_MOST_EVERY_MS, Math.max(EVERY_MS, this.#wait_ms) * 2);
      this.#excuse(error);
    }
    if (this.#running && !document.hidden) this.#timer = setTimeout(() => this.check(), this.#wait_ms);
  }

  #show(wallet) {
    this.#checked_ms = Date.now();
    this.unknown.hidden = true;
    this.shown.hidden = false;
    this.#number ??= new RollingNumber(this.shown);
    this.#number.set(wallet.coins);
    for (const follower of this.#followers) follower(wallet.coins);
    this.#explain(wallet);
    this.hold.show(wallet);
    this.held(wallet);
    const before = this.#known;
    this.#known = wallet;
    if (before && before.coins !== wallet.coins) this.#expected_until_ms = 0;
    if (wallet.settled_coins === null) return; // the statement cannot be read now either: what is shown of it stays
    if (before && (before.coins !== wallet.coins || before.settled_coins !== wallet.settled_coins)) this.changed();
  }

  #explain({ unsettled_coins }) {
    const words =
      unsettled_coins === null
        ? 'Your statement cannot be read right now. Your balance is exact.'
        : unsettled_coins
          ? `${counted(unsettled_coins, 'coin')} just moved and on the way into your statement.`
          : 'Everything is in your statement.';
    if (this.note.textContent !== words) fill(this.note, element('p.small.secondary', {}, words));
  }

  #excuse(error) {
    if (this.#known === null) {
      this.unknown.textContent = error.temporary ? 'Still checking…' : 'Not known';
      if (!error.temporary) this.refused('refused');
    }
    const since = this.#known === null ? '' : ` This was your balance at ${clockTime(this.#checked_ms)}.`;
    const label = error.code === 'unauthorized' ? wayOutOf(error).label : 'Check again';
    const again = element('button.button.button--quiet', { type: 'button' }, label);
    again.addEventListener('click', () => (error.code === 'unauthorized' ? this.session.use(null) : this.check()));
    // A server that answers "not now" knows better why than the general sentence.
    const reason = error.status === 503 && error.said ? error.said : error.message;
    fill(this.note, element('p.small', {}, `${reason}${since}`), again);
  }
}
