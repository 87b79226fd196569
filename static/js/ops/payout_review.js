import { ask } from '../ui/dialog.js';
import { element } from '../ui/element.js';
import { amountOf } from '../ui/money.js';
import { saidOf } from './payment_words.js';

const REASON_LENGTH_MAX = 200;

/** decision → its button, and the question before it. */
const DECISIONS = {
  paid: { label: 'It was paid', text: ({ user }) => `It is booked as paid: the diamonds of ${user} are gone, and the provider owes us so much less.` },
  failed: { label: 'It was not paid', text: ({ user }) => `It is booked as failed: ${user} has the diamonds again. If the provider pays it after all, it is paid twice.` },
  dismiss: { label: 'Nothing to do', text: () => 'Nothing moves. It needs a look no more.' },
};

/** Decide about a payout that needs a look: a reason, what is true of it, a question. */
export class PayoutReview {
  #payout = null;
  #busy = false;

  /** @param {{session: Session, told: (payout: object) => void, again: () => void}} parts as of PayoutStop */
  constructor({ session, told, again }) {
    this.session = session;
    this.told = told;
    this.again = again;
    this.reason = element('input.input', { id: 'payout-review-reason', type: 'text', autocomplete: 'off', maxlength: REASON_LENGTH_MAX, placeholder: 'Such as: seen at the provider', 'aria-describedby': 'payout-review-problem' });
    this.problem = element('p.decide__problem.small', { id: 'payout-review-problem', role: 'alert', hidden: true });
    this.buttons = new Map(Object.entries(DECISIONS).map(([decision, { label }]) => [decision, element('button.button.button--wide', { type: 'button' }, label)]));
    for (const [decision, button] of this.buttons) button.addEventListener('click', () => this.#press(decision));
    this.form = element('div.decide__form', {}, element('div.field', {}, element('label', { for: 'payout-review-reason' }, 'How that is known, for the audit log'), this.reason), this.problem, ...this.buttons.values());
    this.node = element('section.decide', { 'aria-labelledby': 'payout-review-title', hidden: true }, element('h3', { id: 'payout-review-title' }, 'Decide'), this.form);
    this.reason.addEventListener('input', () => this.#complain(''));
  }

  /** The payout stands so now: one that is sending was paid or was not, of any other only the review ends. */
  show(payout) {
    this.#payout = payout;
    this.node.hidden = payout.review === null;
    for (const [decision, button] of this.buttons) button.hidden = (decision === 'dismiss') === (payout.state === 'sending');
  }

  async #press(decision) {
    if (this.#busy) return;
    const reason = this.reason.value.trim();
    if (reason === '') return this.#complain('Write how that is known, for whoever reads this later.', true);
    const payout = this.#payout;
    const { label, text } = DECISIONS[decision];
    const sure = await ask({ title: `${amountOf(payout.amount_minor, payout.currency)}: ${label.toLowerCase()}?`, text: text(payout), yes: label, no: 'Decide later' });
    if (sure) await this.#post(payout, decision, reason);
  }

  async #post(payout, decision, reason) {
    this.#busy = true;
    this.#complain('');
    try {
      this.told(await this.session.post(`/v1/ops/payouts/${encodeURIComponent(payout.id)}/decide`, { decision, reason }));
    } catch (error) {
      this.#complain(error.code === 'review_refused' ? error.message : saidOf(error));
      if (error.code === 'review_refused') this.again();
    } finally {
      this.#busy = false;
    }
  }

  #complain(text, wrong = false) {
    this.problem.hidden = text === '';
    this.problem.textContent = text;
    this.reason.setAttribute('aria-invalid', String(wrong));
    if (wrong) this.reason.focus();
  }
}
