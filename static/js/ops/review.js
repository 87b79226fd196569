import { ask } from '../ui/dialog.js';
import { element } from '../ui/element.js';
import { amountOf } from '../ui/money.js';
import { saidOf } from './payment_words.js';

const REASON_LENGTH_MAX = 200;

/** decision → its button, the question before it, and what stands there afterwards. */
const DECISIONS = {
  credit: {
    label: 'Credit the coins',
    text: () => 'The provider is asked first. The coins are booked if it says now that all of it was paid as it was ordered.',
    done: 'The coins are credited.',
  },
  refund: {
    label: 'Give the money back',
    text: ({ user }) => `What the provider took goes back to ${user}, and the order is never credited. It needs a look until the provider has paid.`,
    done: 'The money went back. Nothing is credited.',
  },
  close: {
    label: 'Close, and move nothing',
    text: () => 'Nothing moves: it was settled elsewhere, or was no trouble. The provider is asked first: money that nothing is credited for is not left there.',
    done: 'Closed. Nothing has moved.',
  },
};

/** Decide about a payment that needs a look: a reason, one of three decisions, a question, and what came of it. */
export class Review {
  #payment = null;
  #busy = false;

  /** @param {{session: Session, decided: () => void}} parts */
  constructor({ session, decided }) {
    this.session = session;
    this.decided = decided;
    this.reason = element('input.input', { id: 'review-reason', type: 'text', autocomplete: 'off', maxlength: REASON_LENGTH_MAX, placeholder: 'Such as: seen at the provider', 'aria-describedby': 'review-problem' });
    this.problem = element('p.decide__problem.small', { id: 'review-problem', role: 'alert', hidden: true });
    this.news = element('p.decide__news.small', { role: 'status', data: { tone: 'good' }, hidden: true });
    this.buttons = new Map(Object.entries(DECISIONS).map(([decision, { label }]) => [decision, element('button.button.button--wide', { type: 'button' }, label)]));
    for (const [decision, button] of this.buttons) button.addEventListener('click', () => this.#press(decision));
    this.form = element('div.decide__form', {}, element('div.field', {}, element('label', { for: 'review-reason' }, 'Why, for the audit log'), this.reason), this.problem, ...this.buttons.values());
    this.node = element('section.decide', { 'aria-labelledby': 'review-title', hidden: true }, element('h3', { id: 'review-title' }, 'Decide'), this.news, this.form);
    this.reason.addEventListener('input', () => this.#complain(''));
  }

  /** The payment stands so now: what was credited can only be closed here. */
  show(payment) {
    this.#payment = payment;
    this.form.hidden = payment.review === null;
    if (payment.review !== null) this.news.hidden = true;
    this.node.hidden = this.form.hidden && this.news.hidden;
    for (const [decision, button] of this.buttons) button.hidden = decision !== 'close' && payment.transfer !== null;
  }

  async #press(decision) {
    if (this.#busy) return;
    const reason = this.reason.value.trim();
    if (reason === '') return this.#complain('Write why, for whoever reads this later.', this.reason);
    const payment = this.#payment;
    const { label, text } = DECISIONS[decision];
    const amount = amountOf(payment.amount_minor, payment.currency);
    const sure = await ask({ title: `${label}?`, text: `Ordered for ${amount}. ${text(payment)}`, yes: label, no: 'Not now' });
    if (sure) await this.#post(payment, decision, reason);
  }

  async #post(payment, decision, reason) {
    this.#wait(true);
    this.#complain('');
    try {
      await this.session.post(`/v1/ops/payments/${encodeURIComponent(payment.id)}/review`, { decision, reason });
      this.reason.value = '';
      this.news.textContent = DECISIONS[decision].done;
      this.news.hidden = false;
      this.form.hidden = true;
      this.decided();
    } catch (error) {
      this.#complain(error.temporary ? `${saidOf(error)} Press again: it is decided once.` : saidOf(error));
    } finally {
      this.#wait(false);
    }
  }

  #wait(busy) {
    this.#busy = busy;
    for (const button of this.buttons.values()) button.setAttribute('aria-disabled', String(busy));
  }

  #complain(text, field = null) {
    this.problem.hidden = text === '';
    this.problem.textContent = text;
    this.reason.setAttribute('aria-invalid', String(field !== null && text !== ''));
    field?.focus();
  }
}
