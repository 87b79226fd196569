import { element } from '../ui/element.js';
import { exactTime } from '../ui/times.js';
import { ACTIONS, actionOf, detailsOf, subjectOf, whyOf } from './case_words.js';
import { PagedList } from './paged_list.js';

const PAGE_ACTS = 50;

/** The audit log tab: who did what to which subject and why, newest first, narrowed by the server. */
export class Audit {
  /** @param {{session: Session, refused: (error: RequestError) => void}} parts */
  constructor({ session, refused }) {
    this.session = session;
    this.action = element('select.input', { id: 'audit-action' }, new Option('Every action', ''), ...Object.entries(ACTIONS).map(([action, text]) => new Option(text, action)));
    this.actor = field('audit-actor', 'Operator: an id');
    this.subject = field('audit-subject', 'About: an id');
    this.list = new PagedList({
      label: 'What was done, newest first',
      what: 'entries',
      load: (before) => this.#page(before),
      draw: drawAct,
      none: () => (this.#narrowed ? 'Nothing of this kind was done.' : 'Nothing was done yet.'),
      refused,
    });
    const form = element(
      'form.filters',
      { 'aria-label': 'Which entries', novalidate: true },
      named(this.action, 'Action'),
      named(this.actor, 'Operator'),
      named(this.subject, 'About'),
      element('button.button.button--quiet', { type: 'submit' }, 'Look again'),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.open();
    });
    this.action.addEventListener('change', () => this.open());
    for (const one of [this.actor, this.subject]) one.addEventListener('search', () => this.open());
    const words = element('p.small.secondary', {}, 'Nobody can edit it: each entry is sealed by the one after it, and giftserver verify proves the whole chain.');
    document.getElementById('panel-audit').append(form, words, this.list.node);
  }

  open() {
    return this.list.open();
  }

  close() {
    this.list.close();
  }

  get #narrowed() {
    return [this.action, this.actor, this.subject].some((one) => one.value.trim() !== '');
  }

  async #page(before) {
    const asked = { limit: PAGE_ACTS, action: this.action.value, actor: this.actor.value.trim(), subject: this.subject.value.trim(), before: before ?? '' };
    const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== ''));
    const { acts, next } = await this.session.get(`/v1/ops/audit?${query}`);
    return { items: acts, next };
  }
}

function drawAct(act) {
  const { text, tone } = actionOf(act);
  const details = detailsOf(act);
  return element(
    'article.act',
    { data: { act: act.id, action: act.action } },
    element('p.act__what', {}, element('span.state.strong', { data: { tone } }, text), element('span.small.secondary', {}, `${act.actor}, ${act.role}`)),
    element('p.small.act__subject', {}, `${subjectOf(act.subject_kind)} `, element('code', {}, act.subject_id)),
    act.reason !== '' && element('p.small.act__reason', {}, whyOf(act)),
    element(
      'p.tiny.secondary',
      {},
      `No. ${act.id} · `,
      element('time', { datetime: new Date(act.at_ms).toISOString() }, exactTime(act.at_ms)),
      details !== '' && ` · ${details}`,
      ' · ',
      element('code', { title: act.hash }, act.hash.slice(0, 12)),
    ),
  );
}

function field(id, placeholder) {
  return element('input.input', { id, type: 'search', placeholder, maxlength: '64', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false' });
}

function named(control, label) {
  return element('div.filters__field', {}, element('label.visually-hidden', { for: control.id }, label), control);
}
