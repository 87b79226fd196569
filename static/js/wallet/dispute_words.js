/** Detail of a step → what it did to the order. */
const TURNS = { disputed: 'open', 'dispute won': 'won', 'dispute lost': 'lost' };

const TOLD = {
  open: 'Disputed: the bank asks for the money back',
  won: 'The dispute is over: the payment stands',
  lost: 'The dispute is over: the bank took the money back',
};
const GIVEN_BACK = { partially_refunded: 'Part of the money was given back', refunded: 'The money was given back' };
/** What did not happen is not told as the state that the order has all the same. */
const UNDONE = { 'refund failed': 'Giving money back did not work: it is as before' };

/** How a payment's newest dispute stands: "open", "won" or "lost"; null when there never was one. */
export function disputeOf(payment) {
  let open = 0;
  let last = null;
  for (const step of payment.steps) {
    const turn = TURNS[step.detail] ?? null;
    if (turn === null) continue;
    open = turn === 'open' ? open + 1 : Math.max(0, open - 1);
    last = turn;
  }
  return open > 0 ? 'open' : last;
}

/** What the standing of an order says because of a dispute; null when it has nothing to say. */
export function disputeStandingOf(payment) {
  switch (disputeOf(payment)) {
    case 'open':
      return { title: 'Disputed: this payment is being looked at', text: 'The bank that paid asks for the money back. Until that is decided your wallet is on hold.', tone: 'wait' };
    case 'lost':
      return { title: 'The bank took this payment back', text: 'Coins of it that were not spent are gone. Coins that were spent are owed.', tone: 'bad' };
    case 'won':
      return { title: 'The dispute is over: this payment stands', text: 'What was set aside is in your wallet again.', tone: 'good' };
    default:
      return null;
  }
}

/** What happened to an order after its coins came, oldest first: `{text, at_ms}`. */
export function afterwardsOf(payment) {
  const told = payment.steps.map((step) => ({ text: TOLD[TURNS[step.detail]] ?? UNDONE[step.detail] ?? GIVEN_BACK[step.state], at_ms: step.at_ms }));
  return told.filter((one, place) => one.text !== undefined && one.text !== told[place - 1]?.text);
}
