import { uuid7 } from '../giftclient/keys.js';
import { ask } from '../ui/dialog.js';
import { element } from '../ui/element.js';
import { coinsOf, moveOf, standOf } from './adjustment_words.js';
import { PagedList } from './paged_list.js';
import { momentOf, saidOf } from './payment_words.js';

const COINS_MAX = 1_000_000;
const PAGE_ADJUSTMENTS = 30;

/** The adjustments tab: propose coins to give or take, and decide about what somebody else proposed. */
export class Adjustments {
  #wish = null;
  #busy = false;

  /** @param {{session: Session, refused: (error: RequestError) => void}} parts */
  constructor({ session, refused }) {
    this.session = session;
    this.user = input('adjust-user', 'Such as ana', 64);
    this.coins = input('adjust-coins', '30 gives, -30 takes', 10);
    this.reason = input('adjust-reason', 'Such as: agreed with support', 200);
    this.case = input('adjust-case', 'case_…', 64);
    this.words = element('p.small.adjust__words', { id: 'adjust-words', role: 'status' });
    this.send = element('button.button.button--primary', { type: 'submit', 'aria-describedby': 'adjust-words' }, 'Propose');
    this.form = element(
      'form.adjust',
      { 'aria-labelledby': 'adjust-title', novalidate: true },
      named('Person', this.user),
      named('Coins', this.coins),
      named('Reason, kept with it', this.reason),
      named('Case, if there is one', this.case),
      element('div.adjust__send', {}, this.send, this.words),
    );
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#propose();
    });
    for (const field of this.#fields) field.addEventListener('input', () => this.#changed());
    this.list = new PagedList({
      label: 'Adjustments, newest first',
      what: 'adjustments',
      load: (before) => this.#page(before),
      draw: (one) => this.#draw(one),
      none: () => 'Nothing was proposed yet.',
      refused,
    });
    document.getElementById('panel-adjustments').append(
      element(
        'section.prices__part',
        { 'aria-labelledby': 'adjust-title' },
        element('header.prices__head', {}, element('h2', { id: 'adjust-title' }, 'Propose an adjustment'), element('p.small.secondary', {}, 'It is booked once a second person has approved it. Coins are taken only from a wallet that is on hold.')),
        this.form,
      ),
      this.list.node,
    );
  }

  open() {
    return this.list.open();
  }

  close() {
    this.list.close();
    this.form.reset();
    this.#wish = null;
    this.words.textContent = '';
  }

  get #fields() {
    return [this.user, this.coins, this.reason, this.case];
  }

  async #page(before) {
    const from = before === null ? '' : `&before=${encodeURIComponent(before)}`;
    const { adjustments, next } = await this.session.get(`/v1/ops/adjustments?limit=${PAGE_ADJUSTMENTS}${from}`);
    return { items: adjustments, next };
  }

  /** Something else is meant from here on: it has a key of its own. */
  #changed() {
    this.#wish = null;
    this.#complain('');
  }

  async #propose() {
    if (this.#busy) return;
    const meant = this.#meant();
    if (meant === null) return;
    this.#wish ??= { key: uuid7(Date.now()), ...meant };
    this.#busy = true;
    this.send.setAttribute('aria-disabled', 'true');
    try {
      const made = await this.session.post('/v1/ops/adjustments', this.#wish);
      this.form.reset();
      this.#wish = null;
      this.#complain('');
      this.words.textContent = `${moveOf(made)}: proposed. A second person must approve it.`;
      this.open();
    } catch (error) {
      if (!error.temporary) this.#wish = null;
      this.#complain(error.temporary ? `${saidOf(error)} Press again: it is proposed once.` : saidOf(error), this.user);
    } finally {
      this.#busy = false;
      this.send.removeAttribute('aria-disabled');
    }
  }

  #meant() {
    const user = this.user.value.trim();
    if (user === '') return this.#complain('Name the person.', this.user);
    const { coins, wrong } = coinsOf(this.coins.value, COINS_MAX);
    if (wrong !== undefined) return this.#complain(wrong, this.coins);
    const reason = this.reason.value.trim();
    if (reason === '') return this.#complain('Write why, for whoever reads this later.', this.reason);
    const of = this.case.value.trim();
    return { user, coins, reason, case: of === '' ? null : of };
  }

  #complain(text, field = null) {
    this.words.textContent = text;
    for (const one of this.#fields) one.setAttribute('aria-invalid', String(one === field && text !== ''));
    if (text !== '') field?.focus();
    return null;
  }

  #draw(one) {
    const { text, tone } = standOf(one);
    const decided = one.decided_by === null ? '' : ` ${one.state === 'approved' ? 'Approved' : 'Rejected'} by ${one.decided_by} (${momentOf(one.decided_at_ms)}).`;
    return element(
      'article.act',
      { data: { adjustment: one.id, state: one.state } },
      element('p.act__what', {}, element('span.strong', {}, moveOf(one)), element('span.state', { data: { tone } }, text)),
      element('p.small.act__reason', {}, one.reason),
      element('p.tiny.secondary', {}, `Proposed by ${one.proposed_by} (${momentOf(one.proposed_at_ms)}).${decided}`, one.case !== null && element('code', {}, ` ${one.case}`)),
      one.state === 'proposed' && this.#decision(one),
    );
  }

  #decision(one) {
    const words = element('p.small.proposal__words', { id: `adjustment-words-${one.id}`, role: 'status' });
    const mine = one.proposed_by === this.session.me?.id;
    if (mine) words.textContent = 'You proposed it: a second person must decide.';
    const why = input(`adjustment-why-${one.id}`, 'Why, for the audit log', 200);
    const buttons = [['approve', 'Approve'], ['reject', 'Reject']].map(([verb, label]) => {
      const button = element('button.button', { type: 'button', 'aria-describedby': words.id, 'aria-disabled': mine && 'true' }, label);
      button.addEventListener('click', () => this.#decide({ one, verb, button, words, why }));
      return button;
    });
    const field = element('div.field.adjust__why', {}, element('label.visually-hidden', { for: why.id }, 'Why it is approved or rejected'), why);
    return element('div.proposal__approval', {}, !mine && field, ...buttons, words);
  }

  async #decide({ one, verb, button, words, why }) {
    if (button.getAttribute('aria-disabled') === 'true') return;
    const reason = why.value.trim();
    if (reason === '') {
      words.textContent = 'Write why, for whoever reads this later.';
      why.focus();
      return;
    }
    const approve = verb === 'approve';
    const sure = await ask({
      title: `${moveOf(one)}?`,
      text: approve ? `${one.proposed_by} proposed it: ${one.reason}. Approved, it is booked at once and cannot be taken back but by another adjustment.` : `${one.proposed_by} proposed it: ${one.reason}. Rejected, nothing moves.`,
      yes: approve ? 'Approve and book it' : 'Reject it',
      no: 'Not now',
    });
    if (!sure) return;
    button.setAttribute('aria-disabled', 'true');
    words.textContent = '';
    try {
      await this.session.post(`/v1/ops/adjustments/${encodeURIComponent(one.id)}/${verb}`, { reason });
      this.open();
    } catch (error) {
      words.textContent = saidOf(error);
      button.removeAttribute('aria-disabled');
    }
  }
}

function input(id, placeholder, length) {
  return element('input.input', { id, type: 'text', placeholder, maxlength: length, autocomplete: 'off', autocapitalize: 'none' });
}

function named(label, control) {
  return element('div.field', {}, element('label', { for: control.id }, label), control);
}
