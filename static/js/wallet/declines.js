/** What a buyer may do about a payment that was declined, by kind. Nobody is told that their card is reported stolen. */
const SAYS = {
  bank: 'Your bank declined the card. Try another card or another way to pay, or ask your bank why.',
  money: 'There was not enough money on the card. Try another card, or a smaller pack.',
  expired: 'Your bank says that this card has expired. Use another card.',
  code: 'The security code was wrong. Look at the card and type it again.',
  number: 'The card’s number or date was wrong. Look at the card and type it again.',
  address: 'The address does not fit the card. Type the one that your bank knows, or use another card.',
  later: 'Your bank could not handle it just then. Wait a minute and try again.',
  unusable: 'Your bank does not let this card be used. Take another card, and ask your bank if this surprises you.',
  unfit: 'This card cannot be used for that. Try another card, or another way to pay.',
  often: 'The card was used, or tried, too often. Try again tomorrow, or use another card.',
  risk: 'The payment was stopped because it looked risky. Try another way to pay.',
  confirm: 'Your bank did not get your confirmation. Try again, and say yes when your bank asks.',
  account: 'Your account there does not let you pay. Look at it there, or try another way to pay.',
  twice: 'The same payment was made a moment ago. Look at your orders before you try again.',
  bounced: 'The bank transfer did not arrive; your bank returns the money. Try again, or pay another way.',
  other: 'Your bank or the payment provider said no. Try again, or pay another way; your bank can tell you why.',
};

/** Kind → the words of providers for it: Stripe's in small letters, PayPal's in capitals, the sandbox's among them. */
const WORDS = {
  bank: 'card_declined generic_decline do_not_honor call_issuer no_action_taken not_permitted approve_with_id INSTRUMENT_DECLINED TRANSACTION_REFUSED DECLINED',
  money: 'insufficient_funds',
  expired: 'expired_card CARD_EXPIRED',
  code: 'incorrect_cvc invalid_cvc',
  number: 'incorrect_number invalid_number invalid_expiry_month invalid_expiry_year invalid_account new_account_information_available',
  address: 'incorrect_address incorrect_zip',
  later: 'processing_error try_again_later issuer_not_available reenter_transaction payment_method_provider_timeout',
  unusable: 'lost_card stolen_card pickup_card restricted_card security_violation stop_payment_order revocation_of_authorization revocation_of_all_authorizations do_not_try_again',
  unfit: 'card_not_supported currency_not_supported transaction_not_allowed service_not_allowed invalid_amount testmode_decline offline_pin_required online_or_offline_pin_required incorrect_pin invalid_pin CURRENCY_NOT_SUPPORTED',
  often: 'card_velocity_exceeded withdrawal_count_limit_exceeded pin_try_exceeded MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED',
  risk: 'highest_risk highest_risk_level elevated_risk_level fraudulent merchant_blacklist DECLINED_BY_RISK_FRAUD_FILTERS COMPLIANCE_VIOLATION',
  confirm: 'authentication_failed authentication_required payment_intent_authentication_failure mobile_device_authentication_required PAYER_ACTION_REQUIRED VERIFICATION_REQUIRED',
  account: 'PAYER_CANNOT_PAY TRANSACTION_APPROVED_AWAITING_FUNDING PAYER_ACCOUNT_RESTRICTED PAYER_ACCOUNT_LOCKED_OR_CLOSED payment_method_provider_decline',
  twice: 'duplicate_transaction DUPLICATE_INVOICE_ID',
  bounced: 'transfer_bounced',
};

const KINDS = new Map(Object.entries(WORDS).flatMap(([kind, words]) => words.split(' ').map((word) => [word, kind])));

/** Why a payment was declined, and the way out, whatever a provider called it. */
export function declineWords(decline) {
  return SAYS[KINDS.get(decline) ?? 'other'];
}
