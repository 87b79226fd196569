const REASONS = {
  payment: { unauthorised: 'I did not make this payment', other: 'Something else is wrong with it' },
  gift: { unauthorised: 'I did not send this gift', other: 'Something else is wrong with it' },
};

const TOLD = {
  unauthorised: { payment: 'I did not make this payment', gift: 'I did not send this gift' },
  abusive_note: 'Its note is abusive',
  abuse: 'Abuse',
  fraud: 'Fraud',
  impersonation: 'Pretends to be somebody else',
  other: 'Something else',
};

const OUTCOMES = {
  upheld: ['You were right: we acted on it', 'good'],
  dismissed: ['We looked at it and found nothing wrong', 'plain'],
  resolved: ['It was settled in another way', 'good'],
};

/** reason → the sentence somebody chooses, for a payment or a gift of theirs. */
export function reasonsFor(kind) {
  return REASONS[kind];
}

/** What was told, and of what: "I did not send this gift". */
export function toldOf({ reason, subject }) {
  const told = TOLD[reason] ?? reason;
  return typeof told === 'string' ? told : (told[subject.kind] ?? reason);
}

/** "Order", "Gift", or the person. */
export function subjectOf({ kind, id }) {
  return { payment: 'Order', gift: `Gift ${id}` }[kind] ?? id;
}

/** How a report stands: words and a tone. */
export function standOf({ state, outcome }) {
  if (state === 'open') return { text: 'Being looked at', tone: 'wait' };
  const [text, tone] = OUTCOMES[outcome] ?? ['Closed', 'plain'];
  return { text, tone };
}
