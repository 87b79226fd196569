import { amountOf } from '../ui/money.js';
import { clockTime, dayName } from '../ui/times.js';

/** state → what an operator reads, and the colour of its dot; in the order in which a payment goes through them. */
export const STATES = {
  created: ['Not opened yet', 'wait'],
  pending: ['Waiting for the buyer', 'wait'],
  requires_action: ['The bank asks the buyer', 'wait'],
  authorised: ['Promised, not taken', 'wait'],
  succeeded: ['Paid, not credited', 'wait'],
  credited: ['Credited', 'good'],
  failed: ['Failed', 'bad'],
  expired: ['Expired', 'plain'],
  cancelled: ['Cancelled', 'plain'],
  partially_refunded: ['Partly given back', 'plain'],
  refunded: ['Given back', 'plain'],
};

/** Who told of a step. */
const SOURCES = {
  buyer: 'The buyer',
  provider: 'The provider',
  reconciler: 'The reconciler, which asked the provider',
  ledger: 'The ledger',
  operator: 'An operator',
};

/** What happened when a payment came into its state, where that is another word. */
const HAPPENED = { created: 'Ordered', pending: 'Checkout opened', authorised: 'Money promised', succeeded: 'Paid' };

/** What a step says by its detail, whatever the state: words and a tone. */
const DETAILS = {
  disputed: ['Disputed: the money is claimed back', 'wait'],
  'dispute won': ['Dispute won: the payment stands', 'good'],
  'dispute lost': ['Dispute lost: the money is gone', 'bad'],
  'refund failed': ['A refund did not go through', 'bad'],
  'looked at by a person': ['Decided after a look', 'plain'],
  'to be given back after a review': ['What was taken is to go back', 'plain'],
  'giving it back did not work': ['The provider could not give it back', 'bad'],
};

/** Why a bank or provider declined. */
const DECLINES = {
  card_declined: 'the bank declined the card',
  insufficient_funds: 'not enough money on the card',
  expired_card: 'the card has expired',
  incorrect_cvc: 'the security code was wrong',
  processing_error: 'the bank could not handle it just then',
  lost_card: 'the card is reported lost or stolen',
  highest_risk: 'it looked too risky',
  authentication_failed: 'the buyer did not confirm',
  transfer_bounced: 'the bank transfer did not arrive',
};

/** The server's words for an amount that is not the order's. */
const PAID_OTHERWISE = /^paid (\d+), asked for (\d+) ([A-Z]{3}) in minor units$/;

/** The server's words for what a provider has paid back after a review. */
const GIVEN_BACK = /^given back after a review: (\d+) ([A-Z]{3}) in minor units$/;

/** "Waiting for the buyer" and a tone: wait, good, bad or plain. */
export function stateOf(state) {
  const [text, tone] = STATES[state] ?? [tidy(state), 'plain'];
  return { text, tone };
}

/** "Today, 21:04". */
export function momentOf(atMs) {
  return `${dayName(atMs)}, ${clockTime(atMs)}`;
}

/** "700 + 70", or "700". */
export function coinsOf({ coins, bonus_coins }, format) {
  return bonus_coins > 0 ? `${format(coins)} + ${format(bonus_coins)}` : format(coins);
}

/** What happened, its tone, who told, and what else is known of it. */
export function stepOf(step) {
  const source = SOURCES[step.source] ?? tidy(step.source);
  if (DETAILS[step.detail] !== undefined) {
    const [title, tone] = DETAILS[step.detail];
    return { title, tone, detail: '', source };
  }
  const [, minor, currency] = GIVEN_BACK.exec(step.detail) ?? [];
  if (currency !== undefined) return { title: 'Given back', tone: 'plain', detail: `${amountOf(Number(minor), currency)}.`, source };
  const { text, tone } = stateOf(step.state);
  const detail = step.detail === '' ? '' : sentence(DECLINES[step.detail] ?? reasonInMoney(step.detail));
  if (PAID_OTHERWISE.test(step.detail)) return { title: 'Not paid as it was ordered', tone: 'bad', detail, source };
  return { title: HAPPENED[step.state] ?? text, tone, detail, source };
}

/** Why the last attempt to pay failed; empty when none did. */
export function declineOf({ decline }) {
  return decline === null ? '' : sentence(DECLINES[decline] ?? tidy(decline));
}

/** Why a person has to look at a payment, in words. */
export function reviewOf({ review }) {
  return sentence(reasonInMoney(review));
}

/** Why the buyer's wallet is on hold: "This payment: dispute", or another one with its number. */
export function holdOf(reason, { id }) {
  return reason.replace(`payment ${id}:`, 'This payment:').replace(/^payment /, 'Payment ');
}

/** The server's own sentence: it knows better than a general one. None when it was not reached. */
export function saidOf(error) {
  return error.said || error.message;
}

/** "unauthorised_minor" → "Unauthorised minor". */
export function tidy(text) {
  const words = String(text).replaceAll(/[_-]+/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The server tells a wrong amount in minor units; people read major ones. */
function reasonInMoney(text) {
  const [, paid, asked, currency] = PAID_OTHERWISE.exec(text) ?? [];
  if (currency === undefined) return text;
  return `paid ${amountOf(Number(paid), currency)}, asked for ${amountOf(Number(asked), currency)}`;
}

function sentence(text) {
  const words = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(words) ? words : `${words}.`;
}
