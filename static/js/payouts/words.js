import { onDayAndClock } from '../ui/moments.js';
import { price } from '../ui/money.js';
import { count, counted } from '../ui/numbers.js';
import { clockTime, dayName } from '../ui/times.js';
import { leastFor, moneyOf } from './rate.js';
import { reasonWords } from './reasons.js';

/** state → what a list says of it, and the colour of its dot. */
const SHORT = {
  requested: ['Asked for', 'wait'],
  held: ['On hold', 'wait'],
  sending: ['On its way', 'wait'],
  paid: ['Paid', 'good'],
  failed: ['Failed', 'bad'],
  cancelled: ['Cancelled', 'plain'],
  voided: ['Stopped', 'bad'],
  returned: ['Came back', 'bad'],
};

/** States in which the diamonds are set aside, and something still happens. */
const UNDER_WAY = new Set(['requested', 'held', 'sending']);

/** What was refused is said in the reader's own time where there is a time in it; else the server knows it best. */
const TOLD_HERE = new Set(['payout_day_full', 'payout_account_new']);

/** Whether something may still happen to a payout within minutes. */
export function isUnderWay({ state }) {
  return UNDER_WAY.has(state);
}

/** "On its way" and a tone: wait, good, bad or plain. */
export function shortStateOf({ state }) {
  const [text, tone] = SHORT[state] ?? [state, 'plain'];
  return { text, tone };
}

/** "Today, 21:04". */
export function momentOf(atMs) {
  return `${dayName(atMs)}, ${clockTime(atMs)}`;
}

/** What is true of a payout now, in a title and a sentence with the way out. */
export function standingOf(payout) {
  const { state, reason, address_masked: address, diamonds } = payout;
  const back = `Your ${counted(diamonds, 'diamond')} ${diamonds === 1 ? 'is' : 'are'} back.`;
  const said = reason ? `Who stopped it wrote: “${reason}”.` : 'No reason was written.';
  const [title, text] = {
    requested: ['Asked for', 'It is sent in a moment. You can cancel it until then.'],
    held: ['On hold while a report is looked at', 'It goes on by itself once that is over. You can cancel it and have the diamonds back.'],
    sending: ['On its way', `${price(payout)} is being sent to ${address}. It cannot be stopped any more.`],
    paid: ['Paid', `${price(payout)} was paid to ${address}.`],
    failed: ['It did not arrive', `${reasonWords(reason)} ${back}`],
    cancelled: ['Cancelled', `Nothing was sent. ${back}`],
    voided: ['Stopped by an operator', `${said} Nothing was sent. ${back} Write to support if you think it is wrong.`],
    returned: ['It came back', `${reasonWords(reason)} ${back}`],
  }[state] ?? [state, ''];
  return { title, text, tone: shortStateOf(payout).tone };
}

/** A payout as dots: asked for, sent, paid; an end stands where it came. */
export function dotsOf(payout) {
  const at = (state) => payout.steps.find((step) => step.state === state)?.at_ms ?? null;
  const done = (title, state) => ({ title, at_ms: at(state), standing: 'done' });
  const asked = { title: 'Asked for', at_ms: payout.created_at_ms, standing: 'done' };
  const now = (title) => ({ title, at_ms: null, standing: 'now' });
  const later = (title) => ({ title, at_ms: null, standing: 'later' });
  const ended = (title) => ({ title, at_ms: at(payout.state), standing: 'ended' });
  const sent = done('Sent', 'sending');
  return {
    requested: [asked, now('Sent'), later('Paid')],
    held: [asked, now('On hold'), later('Paid')],
    sending: [asked, sent, now('Paid')],
    paid: [asked, sent, done('Paid', 'paid')],
    failed: [asked, sent, ended('Failed')],
    cancelled: [asked, ended('Cancelled'), later('Paid')],
    voided: [asked, ended('Stopped'), later('Paid')],
    returned: [asked, sent, done('Paid', 'paid'), ended('Came back')],
  }[payout.state] ?? [asked];
}

/** What is read aloud when a payout came into another state while somebody looked. */
export function newsOf(payout) {
  return `${price(payout)}: ${standingOf(payout).title.toLowerCase()}.`;
}

/** Why nothing can be withdrawn now, and what helps; empty when something can. */
export function barredWords(terms) {
  const { rate, min_minor: least, day_max_minor: most, day_left_minor: left, available_diamonds: available } = terms;
  const money = (minor) => moneyOf(minor, rate);
  if (terms.too_young) return 'Only adults are paid out. Your diamonds stay yours.';
  if (terms.providers.length === 0) return 'Nobody is paid out on this server yet. Your diamonds stay yours.';
  if (terms.on_hold) return 'Your wallet is on hold while a report is looked at. Your diamonds are safe; write to support if that is wrong.';
  const needed = leastFor(least, rate);
  if (available < needed) return `From ${money(least)} on you can withdraw. ${missing(needed - available, rate)}`;
  if (left < least) return `${spent(left, most, money)} A new day begins ${onDayAndClock(terms.resets_at_ms)}.`;
  return '';
}

function missing(diamonds, rate) {
  return `${counted(diamonds, 'available diamond')} ${diamonds === 1 ? 'is' : 'are'} missing, ${moneyOf(Math.ceil((diamonds * rate.minor) / rate.diamonds), rate)}.`;
}

function spent(left, most, money) {
  if (left === 0) return `You have withdrawn today’s ${money(most)}.`;
  return `Of today’s ${money(most)} only ${money(left)} is left, which is less than the least that is paid out.`;
}

/** What a day leaves, where that is what bounds an amount; empty where it does not. */
export function dayWords(terms) {
  const { rate, available_diamonds: available, day_left_minor: left } = terms;
  if (available <= leastFor(left, rate)) return '';
  return `At most ${moneyOf(terms.day_max_minor, rate)} a day; ${moneyOf(left, rate)} is left. A new day begins ${onDayAndClock(terms.resets_at_ms)}.`;
}

/** From when on an account can be used; empty when it can be now. */
export function waitsWords({ usable_at_ms: from }) {
  if (from <= Date.now()) return '';
  return `You changed your account. For your safety it can be used a day later: ${onDayAndClock(from)}.`;
}

/** "s…@sandbox, Sandbox". */
export function accountWords({ address_masked: address, provider }, providers) {
  return `${address}, ${providers.find((one) => one.name === provider)?.title ?? provider}`;
}

/** What somebody hears about a refusal: what it is, and what helps. */
export function refusalWords(error) {
  return TOLD_HERE.has(error.code) ? error.message : error.said || error.message;
}

/** "12,000 diamonds". */
export function diamondsOf({ diamonds }) {
  return `${count(diamonds)} ${diamonds === 1 ? 'diamond' : 'diamonds'}`;
}
