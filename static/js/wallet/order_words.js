import { counted } from '../ui/numbers.js';
import { amountOf, perHundred, price } from '../ui/money.js';
import { clockTime, dayName } from '../ui/times.js';
import { declineWords } from './declines.js';
import { disputeStandingOf } from './dispute_words.js';

/** States after which nothing happens by itself. */
const ENDS = new Set(['credited', 'failed', 'expired', 'cancelled', 'partially_refunded', 'refunded']);
const UNPAID = new Set(['failed', 'expired', 'cancelled']);

/** state → what a list says of it, and the colour of its dot. */
const SHORT = {
  created: ['Not opened yet', 'wait'],
  pending: ['Waiting for payment', 'wait'],
  requires_action: ['Your bank asks', 'wait'],
  authorised: ['On its way', 'wait'],
  succeeded: ['Paid, coins coming', 'wait'],
  credited: ['In your wallet', 'good'],
  failed: ['Failed', 'bad'],
  expired: ['Expired', 'plain'],
  cancelled: ['Cancelled', 'plain'],
  partially_refunded: ['Partly given back', 'plain'],
  refunded: ['Given back', 'plain'],
};

/** How a dispute stands → what a list says of its order; one that was won leaves it as it was. */
const DISPUTED = { open: { text: 'Disputed', tone: 'wait' }, lost: { text: 'Taken back by the bank', tone: 'bad' } };

const METHODS = { card: 'Card', wallet: 'Pocket wallet', bank: 'Bank transfer' };
const LOST_BONUS = 'without the bonus';

/** The server's words for money that is not what was ordered, and for what went back. */
const PAID_OTHERWISE = /^paid (\d+), asked for \d+ ([A-Z]{3}) in minor units$/;
const PAID_IN = /^paid in ([A-Z]{3}), asked for [A-Z]{3}$/;
const GIVEN_BACK = /^given back after a review: (\d+) ([A-Z]{3}) in minor units$/;
const GOES_BACK = 'to be given back after a review';

/** Whether something may still happen to the payment by itself. */
export function isOpen(payment) {
  return !ENDS.has(payment.state);
}

/** Whether it ended, and nobody paid. */
export function endedUnpaid(payment) {
  return UNPAID.has(payment.state);
}

/** "Waiting for payment" and a tone: wait, good, bad or plain. */
export function shortStateOf(payment) {
  if (payment.in_review) return { text: 'Being looked at', tone: 'wait' };
  if (payment.state !== 'refunded' && DISPUTED[payment.dispute] !== undefined) return DISPUTED[payment.dispute];
  const [text, tone] = SHORT[payment.state] ?? [payment.state.replaceAll('_', ' '), 'plain'];
  return { text, tone };
}

/** Coins that this order brings, or brought. */
export function coinsOf(payment) {
  return payment.coins + (lostBonus(payment) ? 0 : payment.bonus_coins);
}

/** "USD 1.30 per 100": what these coins cost. */
export function eachOf(payment) {
  return perHundred({ ...payment, bonus_coins: coinsOf(payment) - payment.coins });
}

/** "Card", or nothing while none was chosen. */
export function methodOf(payment) {
  if (payment.method === null) return '';
  return METHODS[payment.method] ?? payment.method.charAt(0).toUpperCase() + payment.method.slice(1).replaceAll('_', ' ');
}

/** "Today, 21:04". */
export function momentOf(atMs) {
  return `${dayName(atMs)}, ${clockTime(atMs)}`;
}

/** "21:04" today, "Wed 4 March, 21:04" on any other day: for the middle of a sentence. */
export function deadlineOf(atMs) {
  return dayName(atMs) === dayName(Date.now()) ? clockTime(atMs) : momentOf(atMs);
}

/** How the order stands: a title, the sentence below it, and a tone. */
export function standingOf(payment) {
  if (payment.in_review) {
    const goesBack = payment.steps.some((step) => step.detail === GOES_BACK);
    const title = goesBack ? 'Your money is to be given back' : 'A person is looking at this payment';
    const text = goesBack ? 'A person sees to it. You need not do anything, and nothing is lost.' : `${contradictionOf(payment) || 'Something about it must be understood first.'} You need not do anything, and nothing is lost.`;
    return { title, text, tone: 'wait' };
  }
  if (endedUnpaid(payment)) return unpaid(payment);
  return (payment.state !== 'refunded' && disputeStandingOf(payment)) || underway(payment);
}

function underway(payment) {
  const coins = counted(coinsOf(payment), 'coin');
  const declined = payment.decline === null ? '' : `The last try did not work. ${declineWords(payment.decline)} `;
  switch (payment.state) {
    case 'created':
      return { title: 'The payment page is not open yet', text: `Nothing was charged. Order again if this stays; this order ends by itself ${until(payment)}.`, tone: 'wait' };
    case 'pending':
      return { title: declined ? 'Not paid yet' : 'Waiting for your payment', text: `${declined}You can pay until ${deadlineOf(payment.expires_at_ms)}.`, tone: declined ? 'bad' : 'wait' };
    case 'requires_action':
      return { title: 'Your bank asks you to confirm', text: 'Say yes on its page or in its app. Nothing is charged before that.', tone: 'wait' };
    case 'authorised':
      return payment.method === 'bank'
        ? { title: 'Your bank is sending the money', text: 'This can take days. Your coins come by themselves, you need not wait here.', tone: 'wait' }
        : { title: 'Your bank said yes', text: 'The payment is being taken now.', tone: 'wait' };
    case 'succeeded':
      return { title: 'Paid', text: `${coins} are on the way into your wallet.`, tone: 'wait' };
    case 'credited':
      return { title: `${coins} are in your wallet`, text: lostBonus(payment) ? 'The bonus went with another order of yours.' : 'Enjoy them.', tone: 'good' };
    case 'partially_refunded':
      return { title: 'Part of your money was given back', text: 'The rest of the order stands as it was.', tone: 'plain' };
    case 'refunded':
      return { title: 'Your money was given back', text: `${givenBackOf(payment)} went back the way you paid.`, tone: 'plain' };
    default:
      return { title: shortStateOf(payment).text, text: '', tone: 'plain' };
  }
}

function unpaid(payment) {
  const why = payment.decline === null ? '' : `${declineWords(payment.decline)} `;
  const nothing = payment.decline === 'transfer_bounced' ? 'No coins were added.' : 'Nothing was charged.';
  const titles = { failed: 'The payment failed', expired: 'The time to pay is over', cancelled: 'This order was cancelled' };
  return { title: titles[payment.state], text: `${why}${nothing}`, tone: payment.state === 'failed' ? 'bad' : 'plain' };
}

/** What the provider answered when it was asked because of missing coins. */
export function findingOf(payment) {
  if (payment.in_review) return `${contradictionOf(payment) || 'We asked the provider.'} A person looks at it.`;
  const said = {
    created: 'The provider does not know this order yet: not paid.',
    pending: 'The provider says: not paid yet.',
    requires_action: 'The provider says: your bank still waits for your answer.',
    authorised: 'The provider says: the money is promised, and not there yet.',
    succeeded: 'The provider says: paid. Your coins are coming.',
    credited: 'The provider says: paid. Your coins are in your wallet.',
    failed: 'The provider says: the payment failed.',
    expired: 'The provider says: not paid, and the time is over.',
    cancelled: 'The provider says: cancelled, not paid.',
    refunded: 'The provider says: your money was given back.',
  };
  return said[payment.state] ?? 'We asked the provider. Nothing has changed.';
}

/** How what the provider has contradicts the order; empty when it does not. */
function contradictionOf(payment) {
  const said = payment.steps.map((step) => PAID_OTHERWISE.exec(step.detail) ?? PAID_IN.exec(step.detail)).findLast((found) => found !== null);
  if (said === undefined) return '';
  const [minor, currency] = said.length > 2 ? said.slice(1) : [null, said[1]];
  const theirs = minor === null ? `your money in ${currency}` : amountOf(Number(minor), currency);
  return `The provider has ${theirs}, your order is ${price(payment)}.`;
}

/** What went back: of an order that was not paid as it was ordered, another amount than that of the order. */
function givenBackOf(payment) {
  const [, minor, currency] = payment.steps.map((step) => GIVEN_BACK.exec(step.detail)).findLast((found) => found !== null) ?? [];
  return currency === undefined ? price(payment) : amountOf(Number(minor), currency);
}

function until(payment) {
  return payment.expires_at_ms > Date.now() ? `at ${deadlineOf(payment.expires_at_ms)}` : 'soon';
}

function lostBonus(payment) {
  return payment.steps.some((step) => step.state === 'credited' && step.detail.startsWith(LOST_BONUS));
}
