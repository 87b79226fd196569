import { element, fill } from '../ui/element.js';
import { counted } from '../ui/numbers.js';
import { exactTime } from '../ui/times.js';
import { factName, factOf, reasonOf } from './case_words.js';
import { tidy } from './payment_words.js';

/** What is known of a case: what was told, and the facts that were collected when it was, or that rules found. */
export class CaseEvidence {
  #drawn = '';

  constructor() {
    this.node = element('section.claims', { 'aria-label': 'Evidence' });
  }

  show({ evidence, reports }) {
    const drawn = JSON.stringify([evidence, reports]);
    if (drawn === this.#drawn) return; // what somebody has opened in it stays open
    this.#drawn = drawn;
    fill(this.node, ...reports.map(drawReport), ...evidence.map(drawFinding));
  }
}

function drawReport(told) {
  return element(
    'article.claim',
    { data: { report: told.id } },
    element('header.claim__head', {}, element('h3', {}, `Reported by ${told.reporter}`), element('span.small.secondary', {}, exactTime(told.at_ms))),
    element('p', {}, reasonOf({ kind: 'report', reason: told.reason })),
    told.note !== '' && element('p.small.case__note', {}, `“${told.note}”`),
    told.hold && element('p.small.secondary', {}, 'Asked for their wallet to be put on hold.'),
  );
}

function drawFinding(finding) {
  const facts = Object.entries(finding.facts);
  const tables = facts.filter(([, value]) => isTable(value));
  const rows = facts.filter(([, value]) => !isTable(value));
  const title = finding.by === 'report' ? 'What was known then' : `Found by ${finding.by.replace('rule:', 'the rule ')}`;
  return element(
    'article.claim',
    { data: { finding: finding.by } },
    element('header.claim__head', {}, element('h3', {}, title), element('span.small.secondary', {}, exactTime(finding.at_ms))),
    finding.by !== 'report' && element('p.small', {}, finding.reason),
    element('dl.facts', {}, ...rows.map(([name, value]) => element('div.fact', {}, element('dt', {}, factName(name)), element('dd', {}, factOf(name, value, finding.facts))))),
    ...tables.map(([name, items]) => drawTable(name, items, finding.facts)),
  );
}

function drawTable(name, items, facts) {
  const columns = Object.keys(items[0]);
  const head = columns.map((column) => element('th', { scope: 'col' }, factName(column)));
  const body = items.map((item) => element('tr', {}, ...columns.map((column) => element('td', {}, factOf(column, item[column] ?? null, facts)))));
  return element(
    'details.more',
    {},
    element('summary.more__summary', {}, `${tidy(name)}: ${counted(items.length, 'row')}`),
    element(
      'div.reached__scroll.scroll',
      { tabindex: '0', role: 'region', 'aria-label': tidy(name) },
      element('table.reached', {}, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...body)),
    ),
  );
}

function isTable(value) {
  return Array.isArray(value) && value.length > 0 && typeof value[0] === 'object' && value[0] !== null;
}
