/** Every refusal in words a person would say, and the one thing that helps. The codes are the protocol's error table. */

import { amountOf } from './ui/money.js';
import { dayAndClock, onDayAndClock } from './ui/moments.js';

const number = (value) => Number(value).toLocaleString('en-US');
const coins = (value) => `${number(value)} ${Number(value) === 1 ? 'coin' : 'coins'}`;

/**
 * code → (error, context) → sentence. `error` carries the server's details; `context` what the page knows:
 * `priceCoins` (of the whole tap), `giftName`, `creatorName`, `balanceCoins`.
 */
const SENTENCES = {
  insufficient_coins: (error, { priceCoins, balanceCoins }) => {
    const has = error.balance_coins ?? balanceCoins;
    const have = has === undefined || has === null ? 'You do not have enough coins.' : `You have ${coins(has)} left.`;
    return priceCoins ? `${have} This gift is ${number(priceCoins)}.` : have;
  },
  limit_reached: (error, { priceCoins }) => limitReached(error, priceCoins),
  limit_stays: (error) => error.message || 'A break or a budget that runs can be made stricter, not looser.',
  age_restricted: (error) => error.message || 'Coins are for adults here. Nothing was charged.',
  guardian_refused: (error) => error.message || 'This code is wrong, was used, or has ended: ask for a new one.',
  not_your_ward: () => 'You do not look after this person any more.',
  room_not_live: (_, { creatorName }) => `${creatorName ?? 'The creator'} is not live right now. Gifts open again with the next stream.`,
  banned_from_live: (error) => error.message || 'This room stays closed: its creator is banned from live. Write to support if that is wrong.',
  room_not_found: () => 'There is no room with this name.',
  gift_unavailable: (_, { giftName }) => `${giftName ?? 'This gift'} cannot be sent here right now.`,
  price_changed: (error, { giftName }) => {
    if (error.amount_minor !== undefined) return 'The price has changed. Nothing was charged.';
    const now = error.price_coins === undefined ? '' : ` It is ${coins(error.price_coins)} now.`;
    return `The price of ${giftName ?? 'this gift'} has changed.${now} Nothing was sent.`;
  },
  self_gift: () => 'This is your own stream: gifts to yourself are not possible.',
  key_reused: () => 'This tap was mixed up with an earlier one. Nothing was charged twice; please tap again.',
  key_expired: () => 'This gift waited too long to be delivered and was not sent.',
  rate_limited: ({ retry_after_ms: waitMs }) => {
    if (!(waitMs > 10_000)) return 'That was very fast. Take a breath, then tap again.';
    return `That was tried very often. Wait ${waitMs > 60_000 ? `${Math.ceil(waitMs / 60_000)} minutes` : 'a minute'}, then try again.`;
  },
  bad_request: () => 'Something about this request was not understood. Reload the page and try again.',
  unauthorized: () => 'Your sign-in has ended. Sign in again to send gifts.',
  forbidden: () => 'You are not allowed to do this here.',
  not_found: () => 'This was not found.',
  unavailable: () => 'The server cannot be reached right now. We keep trying.',
  unknown_outcome: () => 'We do not know yet whether this gift went through. We are asking, and it will not be charged twice.',
  wallet_frozen: () => 'Your wallet is on hold while something is looked at. Your coins are safe.',
  recharges_off: () => 'This way to pay is not open here any more. Nothing was charged.',
  not_sold_here: () => 'Coins are not sold in your country yet.',
  promotion_refused: () => 'This offer is not valid here, has ended, or was used already. Nothing was charged.',
  not_settled: () => 'This gift is being written into the books. Ask again in a moment.',
  receipts_off: () => 'This server signs no receipts. The gift stands all the same.',
  webhook_refused: () => 'This message of a provider was not believed. Nothing was changed.',
  method_not_allowed: () => 'This cannot be done here. Reload the page and try again.',
  too_large: () => 'This was too long to be read. Make it shorter and try again.',
  unsupported_type: () => 'This could not be read. Reload the page and try again.',
  internal: () => 'Something went wrong in the server. It was noted there; try again in a moment.',
  refund_too_large: () => 'So much of this payment is not left: the rest was given back already, or is disputed. Nothing was changed.',
  payment_not_found: () => 'There is no order of this number in your wallet.',
  case_changed: () => 'Somebody changed this case meanwhile. Look at it again, then decide.',
  prices_overtaken: () => 'A newer price list is in force: this one would change nothing. Propose it anew.',
  adjustment_decided: () => 'Somebody has decided about this adjustment already.',
  adjustment_refused: () => 'The wallet has fewer coins than are to be taken. Nothing was booked.',
  wallet_not_still: () => 'Coins are taken only from a wallet on hold whose gifts are all booked. Nothing was booked.',
  review_refused: () => 'This cannot be decided so. Nothing was credited.',
  payouts_off: (error) => error.message || 'Nobody is paid out in this way here. Choose another account to be paid out to.',
  payouts_stopped: (error) => error.message || 'Payouts are stopped while the books are checked. Nothing was sent, and your diamonds are safe.',
  payout_not_found: () => 'There is no payout of this number.',
  payout_too_small: (error) => error.message || 'This is less than can be paid out at once. Choose more diamonds.',
  payout_too_large: (error) => error.message || 'You have fewer diamonds that can be paid out. Choose fewer.',
  payout_day_full: (error) => payoutDayFull(error),
  payout_account_needed: () => 'Say first where the money should go.',
  payout_account_new: ({ usable_at_ms: from }) => `You changed your account. For your safety it can be used ${from ? onDayAndClock(from) : 'a day after that'}. Nothing was sent.`,
  payout_address_refused: (error) => error.message || 'This is no address that can be paid out to. Look at it again.',
  payout_under_way: (error) => error.message || 'This payout is on its way or over: it cannot be stopped any more.',
};

/** code → the way out: what the button says and what the page does. */
const WAYS_OUT = {
  insufficient_coins: { label: 'Get coins', act: 'topup' },
  limit_reached: { label: 'See my limits', act: 'limits' },
  limit_stays: { label: 'See my limits', act: 'limits' },
  age_restricted: { label: 'See my limits', act: 'limits' },
  guardian_refused: { label: 'See my limits', act: 'limits' },
  not_your_ward: { label: 'Load the list again', act: 'reload' },
  room_not_live: { label: 'See who is live', act: 'rooms' },
  banned_from_live: { label: 'See who is live', act: 'rooms' },
  room_not_found: { label: 'See who is live', act: 'rooms' },
  gift_unavailable: { label: 'Choose another gift', act: 'panel' },
  price_changed: { label: 'Show the new price', act: 'catalog' },
  self_gift: { label: 'See who is live', act: 'rooms' },
  key_reused: { label: 'Try again', act: 'resend' },
  key_expired: { label: 'Send it again', act: 'resend' },
  rate_limited: { label: 'Try again', act: 'resend' },
  bad_request: { label: 'Reload', act: 'reload' },
  unauthorized: { label: 'Sign in', act: 'signin' },
  forbidden: { label: 'See who is live', act: 'rooms' },
  not_found: { label: 'See who is live', act: 'rooms' },
  unavailable: { label: 'Try again', act: 'resend' },
  unknown_outcome: { label: 'See my wallet', act: 'wallet' },
  wallet_frozen: { label: 'See my wallet', act: 'wallet' },
  recharges_off: { label: 'See my wallet', act: 'wallet' },
  not_sold_here: { label: 'See who is live', act: 'rooms' },
  promotion_refused: { label: 'See my wallet', act: 'wallet' },
  not_settled: { label: 'Try again', act: 'resend' },
  receipts_off: { label: 'See my wallet', act: 'wallet' },
  webhook_refused: { label: 'Reload', act: 'reload' },
  method_not_allowed: { label: 'Reload', act: 'reload' },
  too_large: { label: 'Reload', act: 'reload' },
  unsupported_type: { label: 'Reload', act: 'reload' },
  internal: { label: 'Try again', act: 'resend' },
  refund_too_large: { label: 'Reload', act: 'reload' },
  payment_not_found: { label: 'See my wallet', act: 'wallet' },
  case_changed: { label: 'Look again', act: 'reload' },
  prices_overtaken: { label: 'Reload', act: 'reload' },
  adjustment_decided: { label: 'Look again', act: 'reload' },
  adjustment_refused: { label: 'Look again', act: 'reload' },
  wallet_not_still: { label: 'Look again', act: 'reload' },
  review_refused: { label: 'Reload', act: 'reload' },
  payouts_off: { label: 'Reload', act: 'reload' },
  payouts_stopped: { label: 'Reload', act: 'reload' },
  payout_not_found: { label: 'Reload', act: 'reload' },
  payout_too_small: { label: 'Reload', act: 'reload' },
  payout_too_large: { label: 'Reload', act: 'reload' },
  payout_day_full: { label: 'Reload', act: 'reload' },
  payout_account_needed: { label: 'Reload', act: 'reload' },
  payout_account_new: { label: 'Reload', act: 'reload' },
  payout_address_refused: { label: 'Reload', act: 'reload' },
  payout_under_way: { label: 'Reload', act: 'reload' },
};

/** What to say about this error ({code, message, ...details}). Never empty, never only a code. */
export function sentenceOf(error, context = {}) {
  const make = SENTENCES[error?.code];
  if (make !== undefined) return make({ ...error, ...error?.details }, context);
  return error?.message || 'That did not work. Nothing was charged.';
}

/** The button that helps: {label, act}. */
export function wayOutOf(error) {
  return WAYS_OUT[error?.code] ?? { label: 'Try again', act: 'resend' };
}

/** Which limit, what is left of it, and when it begins again; of a gift or an order. */
function limitReached({ limit, limit_coins: most, left_coins: left, resets_at_ms: at }, priceCoins) {
  if (limit === 'locked') return `You are taking a break from sending and buying${at ? ` until ${dayAndClock(at)}` : ''}. Nothing was charged.`;
  const remains = !left ? 'nothing is left' : `${number(left)} ${left === 1 ? 'is' : 'are'} left`;
  const [standing, again] = {
    gift: [`Your limit is ${coins(most)} a gift.`, ''],
    day: [`Your limit is ${coins(most)} a day; ${remains} today.`, 'A new day begins'],
    month: [`Your limit is ${coins(most)} a month; ${remains} this month.`, 'A new month begins'],
    session: [`Your budget for now is ${coins(most)}; ${remains} of it.`, 'It ends'],
    new: [`Until a day after the first purchase you can buy ${coins(most)}; ${remains}.`, 'That ends'],
  }[limit] ?? ['This would go over your spending limit.', ''];
  const cost = priceCoins ? ` This gift is ${number(priceCoins)}.` : '';
  const when = again && at ? ` ${again} ${onDayAndClock(at)}.` : '';
  return `${standing}${cost}${when}${priceCoins ? '' : ' Nothing was charged.'}`;
}

/** What of the day's payouts is left, and when a new day begins, in the reader's own time. */
function payoutDayFull({ day_max_minor: most, left_minor: left, currency, resets_at_ms: at }) {
  if (most === undefined || left === undefined || at === undefined) return 'This is more than can be paid out today. Choose less, or come back tomorrow.';
  return `At most ${amountOf(most, currency)} is paid out a day; ${amountOf(left, currency)} is left. A new day begins ${onDayAndClock(at)}. Nothing was sent.`;
}

/** A refused HTTP request. `message` is the sentence; `details` is everything the server said besides. */
export class RequestError extends Error {
  constructor(error, status) {
    super(sentenceOf(error));
    this.name = 'RequestError';
    const { code, message, temporary, ...details } = error;
    this.code = code;
    this.said = message ?? '';
    this.temporary = temporary ?? false;
    this.status = status;
    this.details = details;
  }
}
