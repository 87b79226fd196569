import { decimal, price } from '../ui/money.js';

/** Digits of the minor unit of every currency that the server knows (ISO 4217); payments come without theirs. */
export const EXPONENTS = {
  AED: 2, AUD: 2, BHD: 3, BRL: 2, CAD: 2, CHF: 2, CLP: 0, CZK: 2, DKK: 2, EUR: 2, GBP: 2,
  IDR: 2, INR: 2, JOD: 3, JPY: 0, KRW: 0, KWD: 3, MXN: 2, NOK: 2, NZD: 2, OMR: 3, PLN: 2,
  SAR: 2, SEK: 2, SGD: 2, THB: 2, TND: 3, TRY: 2, USD: 2, VND: 0, ZAR: 2,
};

const EXAMPLE_MINOR = 4_990;

/** "USD 4.99"; of a currency that this page does not know, its minor units, and that they are. */
export function amountOf(amountMinor, currency) {
  const exponent = EXPONENTS[currency];
  return exponent === undefined ? `${amountMinor} minor units of ${currency}` : price({ amount_minor: amountMinor, currency, exponent });
}

/** 499 and "USD" → "4.99": what somebody would type. */
export function typed(amountMinor, currency) {
  return decimal(amountMinor, EXPONENTS[currency]);
}

/**
 * What somebody typed, in whole minor units, digit by digit: nothing is rounded and no comma is guessed at.
 *
 * @param {string} text such as "4.99"
 * @returns {{minor: number} | {wrong: string}} `wrong` is the sentence for whoever typed it
 */
export function minorOf(text, currency) {
  const exponent = EXPONENTS[currency];
  const [, whole, part = ''] = /^(\d{1,12})(?:\.(\d+))?$/.exec(text.trim()) ?? [];
  if (whole === undefined) return { wrong: `Write a plain number, such as ${typed(EXAMPLE_MINOR, currency)}.` };
  if (part.length > exponent) {
    return { wrong: exponent === 0 ? `${currency} has no smaller unit: write a whole number.` : `${currency} has ${exponent} digits after the point, not ${part.length}.` };
  }
  const minor = Number(whole + part.padEnd(exponent, '0'));
  return minor > 0 ? { minor } : { wrong: 'Write more than nothing.' };
}
