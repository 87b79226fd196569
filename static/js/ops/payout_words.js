import { reasonWords } from '../payouts/reasons.js';
import { amountOf } from '../ui/money.js';
import { tidy } from './payment_words.js';

/** state → what an operator reads, and the colour of its dot; in the order in which a payout goes through them. */
export const STATES = {
  requested: ['Asked for', 'wait'],
  held: ['On hold', 'wait'],
  sending: ['On its way', 'wait'],
  paid: ['Paid', 'good'],
  failed: ['Failed', 'bad'],
  returned: ['Came back', 'bad'],
  cancelled: ['Cancelled by the creator', 'plain'],
  voided: ['Stopped by an operator', 'plain'],
};

/** Who told of a step. */
const SOURCES = {
  creator: 'The creator',
  operator: 'An operator',
  keeper: 'The keeper, which sends payouts',
  provider: 'The provider',
};

/** The server's words for an amount that is not the payout's. */
const OTHERWISE = /^(\w+): (\d+) ([A-Z]{3}), asked for (\d+) ([A-Z]{3}) in minor units(?: \((.+)\))?$/;

/** States whose detail is a provider's own word. */
const REASONED = new Set(['failed', 'returned']);

/** "On its way" and a tone: wait, good, bad or plain. */
export function stateOf(state) {
  const [text, tone] = STATES[state] ?? [tidy(state), 'plain'];
  return { text, tone };
}

/** Whether something may still happen to a payout soon. */
export function goesOn({ state }) {
  return state === 'requested' || state === 'held' || state === 'sending';
}

/** What happened, its tone, what else is known of it, and who told. */
export function stepOf(step, before) {
  const source = SOURCES[step.source] ?? tidy(step.source);
  const { text, tone } = stateOf(step.state);
  const said = step.detail === '' ? '' : detailOf(step);
  if (before?.state !== step.state) return { title: before?.state === 'held' && step.state === 'requested' ? 'Goes on' : text, tone, detail: said, source };
  const same = step.detail === 'it is on its way';
  if (step.source === 'operator') return { title: 'The review is over', tone: 'plain', detail: said, source };
  return { title: same ? 'The provider has it' : 'Needs a look', tone: same ? 'wait' : 'bad', detail: same ? '' : said, source };
}

/** Why it failed, came back or was stopped; empty when it did not. */
export function reasonOf({ state, reason }) {
  if (reason === null) return '';
  return REASONED.has(state) ? `${reason}. The creator reads: ${reasonWords(reason)}` : sentence(reason);
}

/** Why a person has to look at a payout, in words and whole money. */
export function reviewOf({ review }) {
  return sentence(inMoney(review));
}

function detailOf({ state, source, detail }) {
  return REASONED.has(state) && source === 'provider' ? `The provider’s word: ${detail}.` : sentence(inMoney(detail));
}

function inMoney(text) {
  const [, said, paid, currency, asked, askedIn, where] = OTHERWISE.exec(text) ?? [];
  if (said === undefined) return text;
  return `the provider says ${said}: ${amountOf(Number(paid), currency)}, asked for ${amountOf(Number(asked), askedIn)}${where === undefined ? '' : ` (${where})`}`;
}

function sentence(text) {
  const words = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(words) ? words : `${words}.`;
}
