import { element, fill } from '../ui/element.js';
import { count, counted } from '../ui/numbers.js';
import { burdensOf, reasonOf, sentenceOf, standOf, titleOf } from './claim_words.js';

/** The disputes and refunds of a payment, each with who bears what of it. */
export class Claims {
  #drawn = '';

  constructor() {
    this.node = element('section.claims', { 'aria-label': 'Disputes and refunds', hidden: true });
  }

  show({ claims, currency, transfer }) {
    const drawn = JSON.stringify(claims);
    if (drawn === this.#drawn) return; // what somebody has opened in it stays open
    this.#drawn = drawn;
    this.node.hidden = claims.length === 0;
    fill(this.node, ...claims.map((claim) => draw(claim, currency, transfer !== null)));
  }
}

function draw(claim, currency, credited) {
  const { text, tone } = standOf(claim);
  const burdens = credited ? burdensOf(claim) : [];
  return element(
    'article.claim',
    { data: { claim: claim.id, state: claim.state, kind: claim.kind } },
    element('header.claim__head', {}, element('h3', {}, titleOf(claim, currency)), element('span.state', { data: { tone } }, text)),
    element('p.claim__reason.small.secondary', {}, reasonOf(claim)),
    element('p.small', {}, sentenceOf(claim, credited)),
    burdens.length > 0 && element('dl.burdens', {}, ...burdens.map(burden)),
    claim.gifts.length > 0 && gifts(claim.gifts),
  );
}

function burden({ title, amount, unit, words }) {
  return element(
    'div.burden',
    { data: { none: String(amount === 0) } },
    element('dt', {}, title),
    element(`dd.burden__amount.${unit}s`, {}, element(`span.${unit}-mark`, { 'aria-hidden': 'true' }), count(amount), element('span.visually-hidden', {}, ` ${unit}s`)),
    element('dd.tiny.secondary', {}, words),
  );
}

function gifts(list) {
  const rows = list.map((gift) =>
    element(
      'tr',
      {},
      element('td', {}, gift.creator),
      element('td.coins', {}, counted(gift.coins, 'coin')),
      element('td.diamonds', {}, counted(gift.diamonds, 'diamond')),
      element('td', {}, element('code', {}, gift.transfer)),
    ),
  );
  const head = element('tr', {}, ...['Creator', 'Coins in it', 'Given back', 'Transfer'].map((title) => element('th', { scope: 'col' }, title)));
  const table = element('table.reached', {}, element('thead', {}, head), element('tbody', {}, ...rows));
  return element(
    'details.more',
    { open: list.length <= 5 },
    element('summary.more__summary', {}, `${counted(list.length, 'gift')} reached`),
    element('div.reached__scroll.scroll', { tabindex: '0', role: 'region', 'aria-label': 'Gifts that were reached' }, table),
  );
}
