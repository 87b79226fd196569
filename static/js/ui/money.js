const HUNDRED = 100;

/** Digits of the minor unit of every currency that the server knows (ISO 4217); payments come without theirs. */
export const EXPONENTS = {
  AED: 2, AUD: 2, BHD: 3, BRL: 2, CAD: 2, CHF: 2, CLP: 0, CZK: 2, DKK: 2, EUR: 2, GBP: 2,
  IDR: 2, INR: 2, JOD: 3, JPY: 0, KRW: 0, KWD: 3, MXN: 2, NOK: 2, NZD: 2, OMR: 3, PLN: 2,
  SAR: 2, SEK: 2, SGD: 2, THB: 2, TND: 3, TRY: 2, USD: 2, VND: 0, ZAR: 2,
};

/** 999 and 2 → "9.99": whole minor units as a decimal, digit by digit, so that nothing is ever rounded. */
export function decimal(minor, exponent) {
  const digits = String(minor).padStart(exponent + 1, '0');
  return exponent === 0 ? digits : `${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

/**
 * What something costs, in words: "USD 9.99", beyond doubt and the same everywhere.
 *
 * @param {{amount_minor: number, currency: string, exponent: number}} cost
 */
export function price({ amount_minor, currency, exponent }) {
  const digits = { minimumFractionDigits: exponent, maximumFractionDigits: exponent };
  const format = new Intl.NumberFormat('en', { style: 'currency', currency, currencyDisplay: 'code', ...digits });
  return format.format(decimal(amount_minor, exponent));
}

/** "USD 1.43 per 100": what coins cost, those on top counted too, to the nearest minor unit. Only to be looked at. */
export function perHundred({ amount_minor, coins, bonus_coins, currency, exponent }) {
  const each = Math.round((amount_minor * HUNDRED) / (coins + bonus_coins));
  return `${price({ amount_minor: each, currency, exponent })} per ${HUNDRED}`;
}

/** The same of a payment that comes without its exponent; empty for a currency that this page does not know. */
export function perHundredOf(payment) {
  const exponent = EXPONENTS[payment.currency];
  return exponent === undefined ? '' : perHundred({ ...payment, exponent });
}

/** "USD 4.99"; of a currency that this page does not know, its minor units, and that they are. */
export function amountOf(amountMinor, currency) {
  const exponent = EXPONENTS[currency];
  return exponent === undefined ? `${amountMinor} minor units of ${currency}` : price({ amount_minor: amountMinor, currency, exponent });
}
