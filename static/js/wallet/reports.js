import { element, fill } from '../ui/element.js';
import { momentOf } from './order_words.js';
import { standOf, subjectOf, toldOf } from './report_words.js';

const FIRST_REPORTS = 5;
const MORE_REPORTS = 20;

/** What somebody reported, newest first, and what came of it. It is not there as long as there is nothing to show. */
export class Reports {
  #opened = 0;
  #next = null;
  #busy = false;

  /** @param {{session: Session}} parts */
  constructor({ session }) {
    this.session = session;
    this.list = element('ul.orders__rows', {});
    this.words = element('p.small.secondary', { role: 'status', hidden: true });
    this.more = element('button.button.button--wide', { type: 'button', hidden: true }, 'Show more');
    this.more.addEventListener('click', () => this.#showMore());
    this.section = document.getElementById('reports');
    this.section.append(this.list, this.words, this.more);
  }

  hide() {
    this.#opened += 1;
    this.section.hidden = true;
    fill(this.list);
  }

  /** Load the newest reports of whoever is signed in. Quiet when it fails: what is shown stays. */
  async open() {
    this.#opened += 1;
    const opened = this.#opened;
    const page = await this.#page(FIRST_REPORTS, null).catch(() => null);
    if (page === null || opened !== this.#opened) return;
    this.#tell('');
    fill(this.list, ...page.reports.map(drawReport));
    this.#reach(page.next);
    this.section.hidden = page.reports.length === 0;
  }

  async #showMore() {
    if (this.#busy || this.#next === null) return;
    const opened = this.#opened;
    this.#busy = true;
    this.more.setAttribute('aria-disabled', 'true');
    try {
      const page = await this.#page(MORE_REPORTS, this.#next);
      if (opened !== this.#opened) return;
      this.list.append(...page.reports.map(drawReport));
      this.#reach(page.next);
    } catch (error) {
      if (opened === this.#opened) this.#tell(`No more reports came. ${error.message}`);
    } finally {
      this.#busy = false;
      this.more.removeAttribute('aria-disabled');
    }
  }

  #page(limit, before) {
    const from = before === null ? '' : `&before=${encodeURIComponent(before)}`;
    return this.session.get(`/v1/reports?limit=${limit}${from}`);
  }

  #reach(next) {
    this.#next = next;
    this.more.hidden = next === null;
  }

  #tell(text) {
    this.words.hidden = text === '';
    this.words.textContent = text;
  }
}

function drawReport(told) {
  const { text, tone } = standOf(told);
  return element(
    'li.reported',
    { data: { report: told.id, state: told.state } },
    element('p.reported__what', {}, element('span.strong', {}, toldOf(told)), element('span.small.secondary', {}, `${subjectOf(told.subject)} · ${momentOf(told.at_ms)}`)),
    told.note !== '' && element('p.small.reported__note', {}, `“${told.note}”`),
    element('p.order__state', { data: { tone } }, text),
  );
}
