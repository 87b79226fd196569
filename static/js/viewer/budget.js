/** What the viewer may still spend, said in the gift panel before a gift is tapped. The server decides; this only tells. */

import { dayAndClock, untilIn } from '../ui/moments.js';
import { element, fill, find, inCoins, written } from './find.js';

const CLOSE_SHARE = 0.2; // of a limit nobody chose is told only when less than this is left
const SETTLED_MS = 1_500; // gifts come in bursts: the server is asked after the last one
const OPENED_MS = 50;
const SOONEST_MS = 5_000;
const LONGEST_WAIT_MS = 3_600_000;
const WORDS = {
  gift: { bar: 'Over your limit a gift' },
  day: { bar: 'Over your limit today', left: 'left today' },
  month: { bar: 'Over your limit this month', left: 'left this month' },
  session: { bar: 'Over your budget for now', left: 'left for now' },
};

/** Events: `change`. */
export class Budget extends EventTarget {
  #session;
  #line = find('.panel__budget');
  #rest = find('.panel__rest');
  #answer = null;
  #asked = 0;
  #timer = 0;

  constructor(session) {
    super();
    this.#session = session;
    document.addEventListener('visibilitychange', () => document.hidden || this.#answer === null || this.refresh());
  }

  /** Somebody else looks at the page: nothing is known of them until the panel opens. */
  forget() {
    this.#asked += 1;
    this.#set(null);
  }

  /** The panel is in sight: ask, once for whatever opened it. */
  opened() {
    this.#in(OPENED_MS);
  }

  /** Ask what is left. Never throws: what is known stays. */
  async refresh() {
    this.#asked += 1;
    const asked = this.#asked;
    clearTimeout(this.#timer);
    if (this.#session.me === null) return;
    const answer = await this.#session.get('/v1/limits').catch(() => null);
    if (asked === this.#asked && answer !== null) this.#set(answer);
  }

  /** A gift was accepted: its coins are gone from what is left at once, and the server is asked a moment later. */
  sent(coins) {
    if (this.#answer === null) return;
    const limits = this.#answer.limits.map((one) => (one.left_coins === null ? one : { ...one, left_coins: Math.max(0, one.left_coins - coins) }));
    this.#set({ ...this.#answer, limits });
    this.#in(SETTLED_MS);
  }

  /** While this is so nothing can be sent. */
  get resting() {
    return (this.#answer?.break_until_ms ?? 0) > Date.now();
  }

  /** The limit that so many coins would pass, as the server would refuse them; null when there is none. */
  bars(coins) {
    const limit = this.#standing().find(({ kind, coins: most, left_coins: left }) => coins > (kind === 'gift' ? most : (left ?? most)));
    if (limit === undefined) return null;
    const { kind, coins: limit_coins, left_coins, resets_at_ms } = limit;
    return { code: 'limit_reached', limit: kind, limit_coins, left_coins: kind === 'gift' ? limit_coins : left_coins, resets_at_ms, why: WORDS[kind].bar };
  }

  /** Limits that hold; a window that has ended says nothing of what is left until the server has been asked. */
  #standing() {
    const limits = this.#answer?.limits ?? [];
    return limits.filter((one) => one.coins !== null && (one.resets_at_ms === null || one.resets_at_ms > Date.now()));
  }

  #set(answer) {
    const before = JSON.stringify(this.#answer);
    this.#answer = answer;
    clearTimeout(this.#timer);
    if (answer !== null) this.#wake();
    if (JSON.stringify(answer) === before) return;
    this.#draw();
    this.dispatchEvent(new Event('change'));
  }

  #draw() {
    const tightest = this.#standing()
      .filter((one) => one.left_coins !== null && this.#told(one))
      .sort((one, other) => one.left_coins - other.left_coins)[0];
    this.#line.hidden = tightest === undefined || this.resting;
    if (tightest !== undefined) {
      const { kind, coins, left_coins: left, resets_at_ms: at } = tightest;
      fill(this.#line, element('b', {}, `${written(left)} of ${inCoins(coins)}`), ` ${WORDS[kind].left} · until ${untilIn(at)}`);
    }
    this.#rest.hidden = !this.resting;
    if (this.resting) find('.panel__rest-words').textContent = `You are taking a break until ${dayAndClock(this.#answer.break_until_ms)}.`;
  }

  /** A limit that somebody chose always; everybody's only when it is close. */
  #told({ kind, coins, left_coins: left, own_coins: own, guardian_coins: guardian }) {
    return kind === 'session' || own !== null || guardian !== null || left < coins * CLOSE_SHARE;
  }

  /** Ask again when a window or a break ends. */
  #wake() {
    const { limits, waiting, break_until_ms: rest } = this.#answer;
    const moments = [rest, ...limits.map((one) => one.resets_at_ms), ...waiting.map((one) => one.from_at_ms)];
    const next = Math.min(...moments.filter((at) => at !== null)) - Date.now();
    this.#in(Math.max(SOONEST_MS, Math.min(next + SOONEST_MS, LONGEST_WAIT_MS)));
  }

  #in(wait_ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), wait_ms);
  }
}
