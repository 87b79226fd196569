import { ask } from '../ui/dialog.js';
import { element } from '../ui/element.js';
import { amountOf } from '../ui/money.js';
import { saidOf } from './payment_words.js';

const REASON_LENGTH_MAX = 200;

/** Stop a payout that was not sent: a reason, a question, and what came of it. */
export class PayoutStop {
  #payout = null;
  #busy = false;

  /** @param {{session: Session, told: (payout: object) => void, again: () => void}} parts `told` gets how it stands then, `again` runs when that may have changed otherwise */
  constructor({ session, told, again }) {
    this.session = session;
    this.told = told;
    this.again = again;
    this.reason = element('input.input', { id: 'stop-reason', type: 'text', autocomplete: 'off', maxlength: REASON_LENGTH_MAX, placeholder: 'Such as: a stolen card', 'aria-describedby': 'stop-words stop-problem' });
    this.words = element('p.tiny.secondary', { id: 'stop-words' }, 'The creator reads it, and it stands in the audit log.');
    this.problem = element('p.decide__problem.small', { id: 'stop-problem', role: 'alert', hidden: true });
    this.send = element('button.button.button--wide', { type: 'submit' }, 'Stop the payout');
    this.form = element('form.decide__form', { novalidate: true }, element('div.field', {}, element('label', { for: 'stop-reason' }, 'Why'), this.reason, this.words), this.send);
    this.node = element('section.decide', { 'aria-labelledby': 'stop-title', hidden: true }, element('h3', { id: 'stop-title' }, 'Stop it'), this.problem, this.form);
    this.reason.addEventListener('input', () => this.#complain(''));
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#press();
    });
  }

  /** The payout stands so now; what was sent cannot be stopped, and why stays to be read. */
  show(payout) {
    this.#payout = payout;
    this.form.hidden = !payout.voidable;
    this.node.hidden = !payout.voidable && this.problem.hidden;
  }

  async #press() {
    if (this.#busy) return;
    const payout = this.#payout;
    const reason = this.reason.value.trim();
    if (reason === '') return this.#complain('Write why, for the creator and for whoever reads this later.', this.reason);
    const sure = await ask({
      title: `Stop ${amountOf(payout.amount_minor, payout.currency)}?`,
      text: `Nothing is sent to ${payout.user} then, and the diamonds are theirs again. They can ask for another payout unless their wallet is on hold.`,
      yes: 'Stop the payout',
      no: 'Let it be paid',
    });
    if (sure) await this.#post(payout, reason);
  }

  async #post(payout, reason) {
    this.#wait(true);
    this.#complain('');
    try {
      this.told(await this.session.post(`/v1/ops/payouts/${encodeURIComponent(payout.id)}/void`, { reason }));
    } catch (error) {
      this.#complain(error.temporary ? `${saidOf(error)} Press again: it is stopped once.` : saidOf(error));
      if (error.code === 'payout_under_way') this.again();
    } finally {
      this.#wait(false);
    }
  }

  #wait(busy) {
    this.#busy = busy;
    this.send.setAttribute('aria-disabled', String(busy));
    this.send.textContent = busy ? 'Stopping…' : 'Stop the payout';
  }

  #complain(text, field = null) {
    this.problem.hidden = text === '';
    this.problem.textContent = text;
    this.reason.setAttribute('aria-invalid', String(field !== null && text !== ''));
    field?.focus();
  }
}
