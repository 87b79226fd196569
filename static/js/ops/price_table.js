import { element } from '../ui/element.js';
import { count } from '../ui/numbers.js';
import { amountOf } from '../ui/money.js';
import { customOf, placeOf, promotionOf } from './price_words.js';

/** A price list for the eye: a row for each region, a column for each size of pack, and the promotions below. */
export function priceTable(list, label) {
  const sizes = [...new Set(list.regions.flatMap((region) => region.packs.map((pack) => pack.coins)))].sort((one, other) => one - other);
  const head = element(
    'tr',
    {},
    element('th', { scope: 'col' }, 'Region'),
    ...sizes.map((coins) => element('th.price-table__number', { scope: 'col' }, element('span.coins', {}, count(coins)), element('span.visually-hidden', {}, ' coins'))),
    element('th', { scope: 'col' }, 'Any number'),
  );
  const table = element('table.price-table', {}, element('thead', {}, head), element('tbody', {}, ...list.regions.map((region) => row(region, sizes))));
  return element(
    'div.price-list',
    {},
    element('div.price-list__scroll.scroll', { tabindex: '0', role: 'region', 'aria-label': label }, table),
    list.promotions.length > 0 && element('ul.promotions', { 'aria-label': 'Promotions' }, ...list.promotions.map(promotion)),
  );
}

function row(region, sizes) {
  const amounts = new Map(region.packs.map((pack) => [pack.coins, pack.amount_minor]));
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, element('span.price-table__currency', {}, region.currency), element('span.price-table__place.tiny.secondary', {}, placeOf(region))),
    ...sizes.map((coins) => element('td.price-table__number', {}, amounts.has(coins) ? bare(amounts.get(coins), region.currency) : '–')),
    element('td.price-table__custom.small', {}, customOf(region)),
  );
}

/** The number alone: its currency stands at the head of the row. */
function bare(amountMinor, currency) {
  return amountOf(amountMinor, currency).replace(currency, '').trim();
}

function promotion(one) {
  return element('li.promotion', {}, element('span.strong', {}, one.title), ' ', element('span.small.secondary', {}, promotionOf(one)));
}
