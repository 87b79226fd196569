/** Why money that was sent to a creator did not arrive or came back, by kind: what it is, and the way out. */
const SAYS = {
  closed: 'The account is closed, locked or limited. Put that right there, or choose another account, then withdraw again.',
  unknown: 'Nobody has an account with this address, or it is not confirmed there. Look at the address, then withdraw again.',
  unclaimed: 'Nobody took the money at this address. Look at the address, or accept the money there next time.',
  currency: 'The account does not take this currency. Allow it there, or choose another account, then withdraw again.',
  limit: 'This is more than the account may receive now. Raise the limit there, or withdraw less.',
  place: 'Money cannot be sent to this account in its country. Choose another account, then withdraw again.',
  risk: 'The provider stopped it to be safe. Ask there why, or choose another account, then withdraw again.',
  back: 'The account sent the money back. Ask there why, or choose another account, then withdraw again.',
  ours: 'It failed on our side, not on yours. We were told; try again later.',
  address: 'The provider does not take this address. Look at it, correct it, then withdraw again.',
  other: 'The provider did not say more. Look at your account there, or choose another one, then withdraw again.',
};

/** Kind → the words of providers for it: PayPal's in capitals, the sandbox's in small letters. */
const WORDS = {
  closed: 'account_closed RECEIVER_ACCOUNT_LOCKED RECEIVER_ACCOUNT_LIMITATION RECEIVER_ACCOUNT_INACTIVE ACCOUNT_RESTRICTED RECEIVER_YOUTH_ACCOUNT NEGATIVE_BALANCE',
  unknown: 'RECEIVER_UNREGISTERED RECEIVER_UNCONFIRMED ACCOUNT_UNCONFIRMED_EMAIL RECEIVER_DOES_NOT_EXIST',
  unclaimed: 'RETURNED UNCLAIMED CANCELED',
  currency: 'CURRENCY_NOT_SUPPORTED_FOR_RECEIVER NON_HOLDING_CURRENCY PENDING_RECIPIENT_NON_HOLDING_CURRENCY_PAYMENT_PREFERENCE RECEIVER_REFUSED CURRENCY_COMPLIANCE',
  limit: 'RECEIVING_LIMIT_EXCEEDED TRANSACTION_LIMIT_EXCEEDED POS_LIMIT_EXCEEDED',
  place: 'RECEIVER_COUNTRY_NOT_ALLOWED RECEIVER_STATE_RESTRICTED CLOSED_MARKET GAMER_FAILED_COUNTRY_OF_RESIDENCE_CHECK',
  risk: 'RISK_DECLINE REGULATORY_BLOCKED REGULATORY_PENDING COMPLIANCE_VIOLATION TRANSACTION_DECLINED_BY_TRAVEL_RULE',
  back: 'sent_back REFUNDED REVERSED',
  ours: 'INSUFFICIENT_FUNDS SENDER_ACCOUNT_LOCKED SENDER_ACCOUNT_UNVERIFIED SENDER_STATE_RESTRICTED SENDER_RESTRICTED SPENDING_LIMIT_EXCEEDED USER_COUNTRY_NOT_ALLOWED USER_FUNDING_SOURCE_INELIGIBLE USER_BUSINESS_ERROR DUPLICATE_ITEM SELF_PAY_NOT_ALLOWED APPROVER_DENIED INTERNAL_ERROR UNDEFINED VALIDATION_ERROR INVALID_REQUEST GAMER_FAILED_FUNDING_CHECK GAMING_INVALID_PAYMENT_FLOW',
  address: 'INVALID_EMAIL RECEIVER_INVALID RECIPIENT_INVALID',
};

/** Sentences of the server itself, for orders that a provider would not even take. */
const SENTENCES = {
  'this is no email address': 'address',
  'this is no address of the sandbox': 'address',
  'another payout has this id': 'ours',
  'no reason was given': 'other',
};

const KINDS = new Map([
  ...Object.entries(WORDS).flatMap(([kind, words]) => words.split(' ').map((word) => [word, kind])),
  ...Object.entries(SENTENCES),
]);

/** The server tells a refused order by its HTTP status and the provider's word for it, which may be missing. */
const REFUSED = /^HTTP \d{3} ?/;

/** Why it failed or came back, and the way out, whatever a provider called it. */
export function reasonWords(reason) {
  const refused = REFUSED.test(reason ?? '');
  return SAYS[KINDS.get((reason ?? '').replace(REFUSED, '')) ?? (refused ? 'ours' : 'other')];
}
