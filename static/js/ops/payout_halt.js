import { ask } from '../ui/dialog.js';
import { element } from '../ui/element.js';
import { exactTime } from '../ui/times.js';
import { saidOf } from './payment_words.js';

const REASON_LENGTH_MAX = 200;

/** All payouts: whether they go on or are stopped and why, and one button that changes it. */
export class PayoutHalt {
  #stop = null;
  #busy = false;

  /** @param {{session: Session}} parts */
  constructor({ session }) {
    this.session = session;
    this.title = element('h3', { id: 'halt-title' });
    this.words = element('p.small', { role: 'status' });
    this.reason = element('input.input', { id: 'halt-reason', type: 'text', autocomplete: 'off', maxlength: REASON_LENGTH_MAX, 'aria-describedby': 'halt-problem' });
    this.problem = element('p.decide__problem.small', { id: 'halt-problem', role: 'alert', hidden: true });
    this.send = element('button.button.button--wide', { type: 'submit' });
    this.form = element('form.decide__form', { novalidate: true }, element('div.field', {}, element('label', { for: 'halt-reason' }, 'Why, for the audit log'), this.reason), this.send);
    this.node = element('section.decide', { 'aria-labelledby': 'halt-title', hidden: true }, this.title, this.words, this.problem, this.form);
    this.reason.addEventListener('input', () => this.#complain(''));
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#press();
    });
  }

  /** The stop that is in force, or null: it stands over the list, and what is seldom needed below it. */
  show(stop) {
    const moves = this.node.hidden || (stop === null) !== (this.#stop === null);
    if (moves && stop === null) this.node.parentElement.append(this.node);
    else if (moves) this.node.parentElement.prepend(this.node);
    this.#stop = stop;
    this.node.hidden = false;
    this.node.dataset.stopped = String(stop !== null);
    this.title.textContent = stop === null ? 'Payouts go on' : 'All payouts are stopped';
    this.words.textContent = stop === null ? 'If the books are in doubt, such as after a restore, stop all of them first.' : wordsOf(stop);
    this.send.textContent = stop === null ? 'Stop all payouts' : 'Let payouts go on';
  }

  async #press() {
    if (this.#busy) return;
    const reason = this.reason.value.trim();
    if (reason === '') return this.#complain('Write why, for whoever reads this later.', true);
    const stopped = this.#stop !== null;
    const sure = await ask(
      stopped
        ? { title: 'Let payouts go on?', text: 'What this database has lost would be paid twice. Compare the balances with every provider first.', yes: 'Let payouts go on', no: 'Keep them stopped' }
        : { title: 'Stop all payouts?', text: 'Nobody can ask for a payout, and nothing more is sent. What is on its way is followed.', yes: 'Stop all payouts', no: 'Let them go on' },
    );
    if (sure) await this.#post(stopped ? 'go' : 'stop', reason);
  }

  async #post(what, reason) {
    this.#busy = true;
    this.#complain('');
    try {
      const { stop } = await this.session.post(`/v1/ops/payouts/${what}`, { reason });
      this.reason.value = '';
      this.show(stop);
    } catch (error) {
      this.#complain(saidOf(error));
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

function wordsOf({ reason, placed_by: by, placed_at_ms: at }) {
  const who = by === 'keeper' ? 'The worker stopped them' : `${by} stopped them`;
  return `${reason}. ${who} on ${exactTime(at)}. Nobody can ask for a payout, and nothing more is sent; what is on its way is followed.`;
}
