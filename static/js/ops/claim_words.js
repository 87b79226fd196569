import { counted } from '../ui/numbers.js';
import { amountOf } from '../ui/money.js';
import { tidy } from './payment_words.js';

const REASONS = {
  fraudulent: 'The cardholder says that they did not pay this.',
  not_received: 'The buyer says that nothing came.',
  duplicate: 'The buyer says that they paid twice.',
  unauthorised_minor: 'A child paid without being allowed to.',
};

const DISPUTES = {
  waiting: ['New', 'wait'],
  holding: ['Being set aside', 'wait'],
  frozen: ['Open', 'wait'],
  lost: ['Lost', 'bad'],
  won: ['Won', 'good'],
};
const REFUNDS = {
  waiting: ['Asked for', 'wait'],
  holding: ['Being set aside', 'wait'],
  frozen: ['Being paid', 'wait'],
  lost: ['Given back', 'plain'],
  won: ['Not given back', 'bad'],
};

const UNCREDITED = {
  lost: 'The bank took the money back. Nothing of the payment was credited: nobody has coins of it.',
  won: 'The bank leaves the money where it is. Nothing of the payment was credited.',
};

/** Whether a claim may still move. */
export function isOpen(claim) {
  return claim.state !== 'lost' && claim.state !== 'won';
}

/** "Dispute of USD 9.99". */
export function titleOf(claim, currency) {
  return `${claim.kind === 'dispute' ? 'Dispute' : 'Refund'} of ${amountOf(claim.amount_minor, currency)}`;
}

/** "Lost" and a tone. */
export function standOf(claim) {
  const [text, tone] = (claim.kind === 'dispute' ? DISPUTES : REFUNDS)[claim.state] ?? [tidy(claim.state), 'plain'];
  return { text, tone };
}

/** Why somebody claims the money: a dispute's reason is the provider's word, a refund's is who asked and what they wrote. */
export function reasonOf(claim) {
  if (claim.kind !== 'dispute') return claim.reason;
  return REASONS[claim.reason] ?? (claim.reason === '' ? 'No reason was told.' : `${tidy(claim.reason)}.`);
}

/** Where a claim is, and what comes next or came of it; of a payment that was never credited no coins can be claimed. */
export function sentenceOf(claim, credited) {
  if (!credited) return UNCREDITED[claim.state] ?? 'The bank has not decided yet. Nothing of the payment is credited, so no coins are set aside.';
  const of = `${counted(claim.frozen_coins, 'coin')} of ${counted(claim.coins, 'coin')}`;
  const spent = claim.coins - claim.frozen_coins;
  const rest = spent > 0 ? ` The other ${counted(spent, 'coin')} were spent.` : '';
  switch (claim.state) {
    case 'waiting':
      return 'The wallet is about to be put on hold.';
    case 'holding':
      return 'The wallet is on hold. The last gifts before that go into the ledger first.';
    case 'frozen':
      return claim.kind === 'dispute'
        ? `${of} are frozen until the bank decides.${rest}`
        : `${of} are frozen while the provider is asked to pay.${rest}`;
    case 'lost':
      return claim.kind === 'dispute'
        ? 'The bank took the money back. This is who bears it:'
        : 'The provider paid the money back. This is who bears it:';
    case 'won':
      return claim.kind === 'dispute'
        ? 'Nobody bears anything of it.'
        : 'Coins of it were spent, its money is disputed, or the provider refused. Nobody bears anything of it.';
    default:
      return '';
  }
}

/** Who bears what of a claim that is frozen or lost: a title, an amount, and what it means. */
export function burdensOf(claim) {
  if (claim.state !== 'lost' && claim.state !== 'frozen') return [];
  const lost = claim.state === 'lost';
  const frozen = { title: 'Frozen', amount: claim.frozen_coins, unit: 'coin', words: lost ? 'Unspent. The buyer gave them up.' : 'Unspent. Set aside from the wallet.' };
  if (!lost) return [frozen];
  return [
    frozen,
    { title: 'Owed', amount: claim.owed_coins, unit: 'coin', words: 'Spent. The buyer owes them.' },
    { title: 'Given back', amount: claim.clawed_diamonds, unit: 'diamond', words: 'Creators gave them back.' },
    { title: 'Our loss', amount: claim.lost_diamonds, unit: 'diamond', words: 'Creators keep them: the platform’s loss.' },
  ];
}

/** Who bears a dispute, in a line: what the buyer gave up and owes still, what creators gave back, what nobody does. */
export function bearersOf(dispute) {
  const { state, frozen_coins, owed_coins, repaid_coins, clawed_diamonds, lost_diamonds } = dispute;
  if (state === 'won') return 'Nobody bears anything of it.';
  if (state !== 'lost') return `${counted(frozen_coins, 'coin')} set aside.`;
  const repaid = repaid_coins > 0 ? ` of ${counted(owed_coins, 'coin')}, the others are paid` : '';
  const buyer = [
    frozen_coins > 0 && `gave up ${counted(frozen_coins, 'coin')}`,
    owed_coins > 0 && `owes ${counted(owed_coins - repaid_coins, 'coin')}${repaid}`,
  ].filter(Boolean);
  const parts = [
    buyer.length > 0 && `the buyer ${buyer.join(' and ')}`,
    clawed_diamonds > 0 && `creators gave back ${counted(clawed_diamonds, 'diamond')}`,
    lost_diamonds > 0 && `our loss: ${counted(lost_diamonds, 'diamond')}`,
  ].filter(Boolean);
  if (parts.length === 0) return 'There were no coins of it to take.';
  const line = parts.join('; ');
  return `${line[0].toUpperCase()}${line.slice(1)}.`;
}

/** What an operator hears of the refund they asked for. */
export function newsOf(claim, currency) {
  const amount = amountOf(claim.amount_minor, currency);
  if (claim.state === 'lost') return { text: `${amount} was given back.`, tone: 'good' };
  if (claim.state === 'won') return { text: `${amount} was not given back: coins of it were spent, its money is disputed, or the provider refused. Nothing has changed by it.`, tone: 'bad' };
  if (claim.state === 'frozen') return { text: `${amount}: the coins are set aside, the provider is asked to pay.`, tone: 'wait' };
  return { text: `${amount}: asked for. First its coins are set aside, then the provider pays.`, tone: 'wait' };
}
