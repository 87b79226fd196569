import { counted } from '../ui/numbers.js';
import { price } from '../ui/money.js';

const TOLD_OF = 100;

/** Diamonds and minor units of the smallest whole step of a rate: nothing is lost by rounding between them. */
export function stepOf({ diamonds, minor }) {
  const common = divisor(diamonds, minor);
  return { diamonds: diamonds / common, minor: minor / common };
}

/** What so many diamonds are worth, in minor units; null when that is no whole number of them. */
export function worthOf(diamonds, rate) {
  const step = stepOf(rate);
  return diamonds % step.diamonds === 0 ? (diamonds / step.diamonds) * step.minor : null;
}

/** How many diamonds so much is; null when it is between two steps. */
export function diamondsFor(minor, rate) {
  const step = stepOf(rate);
  return minor % step.minor === 0 ? (minor / step.minor) * step.diamonds : null;
}

/** The fewest diamonds that are worth so much at least. */
export function leastFor(minor, rate) {
  const step = stepOf(rate);
  return Math.ceil(minor / step.minor) * step.diamonds;
}

/** The most that can be withdrawn now: what is available, and what the day leaves, in whole steps. */
export function mostOf({ available_diamonds: available, day_left_minor: left, rate }) {
  const step = stepOf(rate);
  const steps = Math.min(Math.floor(available / step.diamonds), Math.floor(left / step.minor));
  return { diamonds: steps * step.diamonds, minor: steps * step.minor };
}

/** "USD 60.00" of minor units in a rate's currency. */
export function moneyOf(minor, { currency, exponent }) {
  return price({ amount_minor: minor, currency, exponent });
}

/** "100 diamonds are USD 0.50". */
export function rateWords(rate) {
  const told = worthOf(TOLD_OF, rate) === null ? stepOf(rate).diamonds : TOLD_OF;
  return `${counted(told, 'diamond')} ${told === 1 ? 'is' : 'are'} ${moneyOf(worthOf(told, rate), rate)}`;
}

function divisor(one, other) {
  return other === 0 ? one : divisor(other, one % other);
}
