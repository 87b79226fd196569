const HUNDRED = 100;

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
