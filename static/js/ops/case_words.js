import { count } from '../ui/numbers.js';
import { exactTime } from '../ui/times.js';
import { amountOf } from '../ui/money.js';
import { tidy } from './payment_words.js';

const REASONS = {
  unauthorised: 'Says that it was not them',
  abusive_note: 'The note is abusive',
  abuse: 'Abuse',
  fraud: 'Fraud',
  impersonation: 'Pretends to be somebody else',
  other: 'Something else',
};

/** outcome → what an operator chooses; who reported it reads the same in their own words. */
export const OUTCOMES = {
  upheld: 'It is so, and was acted on',
  dismissed: 'It is not so',
  resolved: 'It was settled in another way',
};

/** action → what the audit log says. */
export const ACTIONS = {
  open_case: 'Case opened',
  add_evidence: 'A rule found more',
  hold: 'Wallet put on hold',
  release: 'Hold ended',
  ban: 'Banned from live',
  unban: 'Ban from live ended',
  note: 'Note',
  close_case: 'Case closed',
  propose_adjustment: 'Adjustment proposed',
  approve_adjustment: 'Adjustment approved',
  reject_adjustment: 'Adjustment rejected',
  refund: 'Refund asked for',
  void_payout: 'Payout stopped',
  decide_payout: 'Payout in review decided',
  stop_payouts: 'All payouts stopped',
  go_on_with_payouts: 'Payouts go on',
  review_credit: 'Payment credited after a look',
  review_refund: 'Payment given back after a look',
  review_close: 'Payment needs no look any more',
  propose_prices: 'Price list proposed',
  approve_prices: 'Price list approved',
  end_sessions: 'Sessions ended',
};

const TONES = { hold: 'wait', release: 'good', ban: 'wait', unban: 'good', close_case: 'plain', approve_adjustment: 'good', reject_adjustment: 'bad' };
const SUBJECTS = { payment: 'Payment', payout: 'Payout', gift: 'Gift', user: 'Person', case: 'Case', adjustment: 'Adjustment', price_list: 'Price list' };

/** "Payment" and the like, of what a case or an act is about. */
export function subjectOf(kind) {
  return SUBJECTS[kind] ?? tidy(kind);
}

/** Why it was reported; a rule says it in its own words. */
export function reasonOf({ kind, reason }) {
  return kind === 'rule' ? reason : (REASONS[reason] ?? tidy(reason));
}

/** "Open" and a tone. */
export function standOf({ state, outcome, on_hold, banned }) {
  if (state === 'open') return { text: `Open${on_hold ? ', wallet on hold' : ''}${banned ? ', banned from live' : ''}`, tone: 'wait' };
  return { text: `${OUTCOMES[outcome] ?? tidy(outcome)}${on_hold ? '; the hold stays' : ''}${banned ? '; the ban stays' : ''}`, tone: outcome === 'dismissed' ? 'plain' : 'good' };
}

/** "Wallet put on hold" and a tone. */
export function actionOf({ action }) {
  return { text: ACTIONS[action] ?? tidy(action), tone: TONES[action] ?? 'plain' };
}

/** Why it was done, in words; of what people reported, the reason that they chose. */
export function whyOf({ reason }) {
  return REASONS[reason] ?? reason;
}

/** What an act says besides: "Coins: 30". */
export function detailsOf({ details }) {
  const told = Object.entries(details).filter(([name, value]) => value !== null && !['hold', 'ban', 'case'].includes(name));
  return told.map(([name, value]) => `${name === 'amount_minor' ? 'Minor units' : tidy(name)}: ${typeof value === 'number' ? count(value) : String(value)}`).join(' · ');
}

/** One fact of the evidence in words; lists of things are tables elsewhere. */
export function factOf(name, value, facts) {
  if (value === null || value === '') return '–';
  if (name.endsWith('_at_ms') || name === 'at_ms') return exactTime(value);
  if (name === 'amount_minor' && facts.currency) return amountOf(value, facts.currency);
  if (typeof value === 'number') return count(value);
  if (typeof value === 'boolean') return value ? 'Yes' : 'No';
  if (Array.isArray(value)) return value.length === 0 ? 'None' : value.map(String).join(', ');
  if (typeof value === 'object') {
    const parts = Object.entries(value).map(([key, part]) => `${tidy(key)} ${typeof part === 'number' ? count(part) : String(part)}`);
    return parts.length === 0 ? 'None' : parts.join(' · ');
  }
  return String(value);
}

/** "amount_minor" → "Amount", "created_at_ms" → "Created". */
export function factName(name) {
  return tidy(name.replace(/_(minor|ms)$/, '').replace(/_at$/, '')) || name;
}
