import { count, counted } from '../ui/numbers.js';
import { dayAndClock, onDayAndClock, ownZone } from '../ui/moments.js';

/** What each limit is called where its number is asked for or told. */
export const KINDS = {
  gift: { title: 'One gift', field: 'Coins a gift', span: 'a gift' },
  day: { title: 'A day', field: 'Coins a day', span: 'a day', now: 'today' },
  month: { title: 'A month', field: 'Coins a month', span: 'a month', now: 'this month' },
  session: { title: 'Budget for now', span: 'for now', now: 'of it' },
};

/** Limits that are set in the editor, as the server names them. */
export const AMOUNTS = ['gift', 'day', 'month'];

/** One limit of an answer of /v1/limits, or undefined: a session's is there while it runs. */
export function limitOf(answer, kind) {
  return answer.limits.find((one) => one.kind === kind);
}

/** Whether the server counts days in a zone that this person chose: without one they begin at midnight UTC. */
export function zoneChosen({ zone }) {
  return !zone.startsWith('Etc/');
}

/** Coins of somebody's limit, or what counts where they have none: that of everybody holds while nobody chose one. */
export function amountWords(coins, kind, scope, answer) {
  if (coins !== null) return counted(coins, 'coin');
  const other = limitOf(answer, kind)[scope === 'own' ? 'guardian_coins' : 'own_coins'];
  const everybodys = kind === 'day' && other === null ? answer.platform_day_coins : null;
  return everybodys === null ? 'no limit' : `${counted(everybodys, 'coin')} as for everybody`;
}

/** Whose limit it is that holds. `guardian` is said where the person themselves reads. */
export function sourceWords(limit, { guardian, own }) {
  if (limit.coins === null || limit.kind === 'session') return '';
  if (limit.coins === limit.guardian_coins) return `set by ${guardian}`;
  return limit.coins === limit.own_coins ? own : 'for everybody who chose none';
}

/** "120 coins left for gifts today. Begins again tomorrow at 00:00." */
export function leftWords(limit, zone) {
  const { now } = KINDS[limit.kind];
  const left = limit.left_coins === null ? '' : `${count(limit.left_coins)} left for gifts${limit.kind === 'session' ? '' : ` ${now}`}. `;
  if (limit.resets_at_ms === null) return left;
  return `${left}${limit.kind === 'session' ? 'Ends' : 'Begins again'} ${onDayAndClock(limit.resets_at_ms, zone)}.`;
}

/** Which clock the moments on the page are told by, where it is not the reader's. */
export function clockWords(answer) {
  if (!zoneChosen(answer)) return 'No time zone is chosen: days begin at midnight UTC, and times are told by that clock.';
  return answer.zone === ownZone() ? '' : `Times are told by the clock of ${placeOf(answer.zone)}.`;
}

/** "America/New_York" → "America/New York". */
export function placeOf(zone) {
  return zone.replaceAll('_', ' ');
}

/** When a wish begins: `now`, or `later` where it allows more, beside what the other scope has, or will have by then. */
export function beginOf([kind, before, wished], scope, answer) {
  const other = scope === 'own' ? 'guardian' : 'own';
  const waiting = answer.waiting.filter((one) => one.scope === other && one.kind === kind).map((one) => one.coins);
  const everybodys = (kind === 'day' ? answer.platform_day_coins : null) ?? Infinity;
  const inForce = (coins, beside) => (coins === null && beside === null ? everybodys : Math.min(coins ?? Infinity, beside ?? Infinity));
  const besides = [limitOf(answer, kind)[`${other}_coins`], ...waiting];
  return besides.some((beside) => inForce(wished, beside) > inForce(before, beside)) ? 'later' : 'now';
}

/** "A day: 150 coins → 200 coins, in 24 hours: tomorrow at 21:06." */
export function wishWords(wish, scope, answer, nowMs = Date.now()) {
  const [kind, before, wished] = wish;
  const [from, to] = [before, wished].map((coins) => amountWords(coins, kind, scope, answer));
  const change = `${KINDS[kind].title}: ${from} → ${to}`;
  if (beginOf(wish, scope, answer) === 'now') return `${change}, at once.`;
  return `${change}, in 24 hours: ${dayAndClock(nowMs + 86_400_000, answer.zone, nowMs)}.`;
}

/** What begins later, and when. */
export function waitingWords(one, answer) {
  const isZone = one.kind === 'zone';
  const what = isZone ? `Days begin at midnight in ${placeOf(one.zone)}` : `${KINDS[one.kind].title}: ${amountWords(one.coins, one.kind, one.scope, answer)}`;
  return `${what}, from ${dayAndClock(one.from_at_ms, answer.zone)}.`;
}
