import { decimal, EXPONENTS } from './money.js';

const EXAMPLE_MINOR = 4_990;

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
