import { copyButton } from '../ui/copy.js';
import { sheet } from '../ui/dialog.js';
import { element, fill } from '../ui/element.js';
import { exactTime } from '../ui/times.js';
import { adjustmentLine } from './adjustment_words.js';
import { CaseEvidence } from './case_evidence.js';
import { CaseSteps } from './case_steps.js';
import { actionOf, detailsOf, reasonOf, standOf, subjectOf, whyOf } from './case_words.js';
import { saidOf } from './payment_words.js';

/** One case over the page: what it is about, what is known, what was done, and what may be done. */
export class CasePanel {
  #dialog = null;
  #asked = 0;

  /** @param {{session: Session, changed: () => void, closed: () => void}} parts */
  constructor({ session, changed, closed }) {
    this.session = session;
    this.changed = changed;
    this.closed = closed;
  }

  open(id) {
    this.close();
    this.path = `/v1/ops/cases/${encodeURIComponent(id)}`;
    this.face = element('header.terms', { tabindex: '-1', autofocus: true }, element('p.strong', { role: 'status' }, 'Looking for the case…'));
    this.facts = element('dl.facts', {});
    this.evidence = new CaseEvidence();
    this.steps = new CaseSteps({ session: this.session, done: () => this.#changed() });
    this.acts = element('ol.steps-list', {});
    this.adjusted = element('section.case__adjusted', { 'aria-label': 'Adjustments of this case', hidden: true });
    this.history = element('section.happened', { 'aria-labelledby': 'case-history-title', hidden: true }, element('h3', { id: 'case-history-title' }, 'What was done'), this.acts);
    this.body = element(
      'div.payment',
      { data: { case: id } },
      element('div.payment__column', {}, this.face, this.facts, this.steps.node),
      element('div.payment__column', {}, this.evidence.node, this.adjusted, this.history),
    );
    const dialog = sheet({ title: 'Case', body: [this.body] });
    dialog.classList.add('sheet--payment');
    this.#dialog = dialog;
    dialog.addEventListener('close', () => {
      if (this.#dialog !== dialog) return;
      this.#dialog = null;
      this.closed();
    });
    this.#load();
  }

  close() {
    this.#dialog?.close();
  }

  #changed() {
    this.#load();
    this.changed();
  }

  async #load() {
    this.#asked += 1;
    const asked = this.#asked;
    try {
      const story = await this.session.get(this.path);
      if (asked === this.#asked) this.#show(story);
    } catch (error) {
      if (asked !== this.#asked) return;
      const again = element('button.button.button--quiet', { type: 'button' }, 'Look again');
      again.addEventListener('click', () => this.#load());
      fill(this.face, element('p.strong', { role: 'status' }, 'This case cannot be shown'), element('p.small.secondary', {}, saidOf(error)), error.temporary && again);
    }
  }

  #show(story) {
    const found = story.case;
    const { text, tone } = standOf(found);
    this.body.dataset.state = found.state;
    this.body.dataset.version = String(found.version);
    fill(
      this.face,
      element('p.terms__amount.case__title', {}, reasonOf(found)),
      element('p.state', { data: { tone } }, text),
    );
    const rows = [
      ['Person', found.person],
      ['Opened', exactTime(found.opened_at_ms)],
      ['By', found.kind === 'rule' ? found.opened_by.replace('rule:', 'the rule ') : found.opened_by],
      found.closed_by !== null && ['Closed by', found.closed_by],
    ].filter(Boolean);
    fill(
      this.facts,
      ...rows.map(([term, value]) => element('div.fact', {}, element('dt', {}, term), element('dd', {}, value))),
      reference(subjectOf(found.subject_kind), found.subject_id),
      reference('Case', found.id),
    );
    this.steps.show(found);
    this.evidence.show(story);
    this.adjusted.hidden = story.adjustments.length === 0;
    fill(this.adjusted, element('h3', {}, 'Adjustments'), element('ul', {}, ...story.adjustments.map((one) => element('li.small', {}, adjustmentLine(one)))));
    this.history.hidden = false;
    fill(this.acts, ...story.acts.map(drawAct));
  }
}

/** An act as a step of what was done. */
function drawAct(act) {
  const { text, tone } = actionOf(act);
  const details = detailsOf(act);
  return element(
    'li.happening',
    { data: { tone } },
    element('p.happening__title', {}, text),
    act.action !== 'open_case' && act.reason !== '' && element('p.small', {}, whyOf(act)),
    details !== '' && element('p.tiny.secondary', {}, details),
    element('p.tiny.secondary', {}, `${act.actor} · `, element('time', { datetime: new Date(act.at_ms).toISOString() }, exactTime(act.at_ms))),
  );
}

function reference(term, value) {
  return element('div.fact', {}, element('dt', {}, term), element('dd.fact__reference', {}, element('code', {}, value), copyButton(value, `Copy the id: ${term.toLowerCase()}`)));
}
