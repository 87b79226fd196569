import { count, counted } from '../ui/numbers.js';
import { amountOf } from '../ui/money.js';

const ELSEWHERE = '*';
const NAMED_MAX = 3;
const countries = new Intl.DisplayNames('en', { type: 'region', fallback: 'code' });
const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });

/** "Japan", "Everywhere else", or the codes where they are many. */
export function placeOf(region) {
  const codes = region.countries;
  if (codes.length > NAMED_MAX) return `${counted(codes.length, 'country', 'countries')}: ${codes.join(', ')}`;
  return codes.map((code) => (code === ELSEWHERE ? 'Everywhere else' : countryOf(code))).join(', ');
}

/** "EUR, 20 countries": a region in the middle of a sentence. */
export function regionOf(region) {
  if (region.countries.includes(ELSEWHERE)) return `${region.currency}, everywhere else`;
  const many = region.countries.length > NAMED_MAX;
  return `${region.currency}, ${many ? counted(region.countries.length, 'country', 'countries') : placeOf(region)}`;
}

/** What any number of coins costs. */
export function customOf({ custom, currency }) {
  if (custom === null || custom === undefined) return 'Packs only';
  return `${amountOf(custom.rate_minor, currency)} for ${count(custom.rate_coins)}, ${count(custom.coins_min)} to ${count(custom.coins_max)} coins`;
}

/** What comes on top, for whom, and until when. */
export function promotionOf(promotion) {
  const parts = [
    `${promotion.bonus_percent} % more coins, ${count(promotion.bonus_coins_max)} at most`,
    promotion.code ? `with the code ${promotion.code}` : null,
    promotion.first_purchase ? 'with the first purchase' : null,
    promotion.packs?.length > 0 ? `for ${promotion.packs.join(', ')}` : null,
    promotion.uses_max ? `${counted(promotion.uses_max, 'time', 'times')} for all people together` : null,
    promotion.starts ? `from ${day.format(new Date(promotion.starts))}` : null,
    promotion.ends ? `until ${day.format(new Date(promotion.ends))}` : null,
  ];
  return `${parts.filter(Boolean).join(', ')}.`;
}

function countryOf(code) {
  try {
    return countries.of(code);
  } catch {
    return code;
  }
}
