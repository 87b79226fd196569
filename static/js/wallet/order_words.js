import { counted } from '../ui/numbers.js';
import { price } from '../ui/money.js';
import { clockTime, dayName } from '../ui/times.js';
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

/** Why a payment was declined, and the way out. */
const DECLINES = {
  card_declined: 'Your bank declined the card. Try another card or another way to pay, or ask your bank why.',
  insufficient_funds: 'There was not enough money on the card. Try another card, or a smaller pack.',
  expired_card: 'Your bank says that this card has expired. Use another card.',
  incorrect_cvc: 'The security code was wrong. Look at the card and type it again.',
  processing_error: 'Your bank could not handle it just then. Wait a minute and try again.',
  lost_card: 'Your bank does not let this card be used. Take another card, and ask your bank if this surprises you.',
  highest_risk: 'The payment was stopped because it looked risky. Try another way to pay.',
  authentication_failed: 'Your bank did not get your confirmation. Try again, and say yes when your bank asks.',
  transfer_bounced: 'The bank transfer did not arrive; your bank returns the money. Try again, or pay another way.',
};
const DECLINED = 'The payment did not go through, and nobody said why. Try again, or pay another way.';

const METHODS = { card: 'Card', wallet: 'Pocket wallet', bank: 'Bank transfer' };
const LOST_BONUS = 'without the bonus';

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
  const [text, tone] = SHORT[payment.state] ?? [payment.state.replaceAll('_', ' '), 'plain'];
  return { text, tone };
}

/** Coins that this order brings, or brought. */
export function coinsOf(payment) {
  return payment.coins + (lostBonus(payment) ? 0 : payment.bonus_coins);
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
    return { title: 'A person is looking at this payment', text: 'Something about it must be understood first. You need not do anything, and nothing is lost.', tone: 'wait' };
  }
  if (endedUnpaid(payment)) return unpaid(payment);
  return (payment.state !== 'refunded' && disputeStandingOf(payment)) || underway(payment);
}

function underway(payment) {
  const coins = counted(coinsOf(payment), 'coin');
  const declined = payment.decline === null ? '' : `The last try did not work. ${declineOf(payment)} `;
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
      return { title: 'Your money was given back', text: `${price(payment)} went back the way you paid.`, tone: 'plain' };
    default:
      return { title: shortStateOf(payment).text, text: '', tone: 'plain' };
  }
}

function unpaid(payment) {
  const why = payment.decline === null ? '' : `${declineOf(payment)} `;
  const nothing = payment.decline === 'transfer_bounced' ? 'No coins were added.' : 'Nothing was charged.';
  const titles = { failed: 'The payment failed', expired: 'The time to pay is over', cancelled: 'This order was cancelled' };
  return { title: titles[payment.state], text: `${why}${nothing}`, tone: payment.state === 'failed' ? 'bad' : 'plain' };
}

/** What the provider answered when it was asked because of missing coins. */
export function findingOf(payment) {
  if (payment.in_review) return 'We asked the provider. A person looks at what it said.';
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
  };
  return said[payment.state] ?? 'We asked the provider. Nothing has changed.';
}

function declineOf(payment) {
  return DECLINES[payment.decline] ?? DECLINED;
}

function until(payment) {
  return payment.expires_at_ms > Date.now() ? `at ${deadlineOf(payment.expires_at_ms)}` : 'soon';
}

function lostBonus(payment) {
  return payment.steps.some((step) => step.state === 'credited' && step.detail.startsWith(LOST_BONUS));
}
