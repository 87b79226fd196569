import { uuid7 } from '../giftclient/keys.js';
import { ask } from '../ui/dialog.js';
import { element } from '../ui/element.js';
import { newsOf } from './claim_words.js';
import { amountOf, EXPONENTS } from '../ui/money.js';
import { minorOf, typed } from '../ui/typed_money.js';
import { saidOf } from './payment_words.js';

const REASON_LENGTH_MAX = 200;

/**
 * Give money of one payment back: an amount, a reason, a question, and then what became of it.
 *
 * A press has one key. While it is not known whether the server heard it, the same is asked again under that key, and
 * nothing else can be asked.
 */
export class GiveBack {
  #payment = null;
  #busy = false;
  #asked = null;
  #given = '';

  /**
   * @param {{session: Session, unsure: Map<string, object>, asked: () => void}} parts `unsure` keeps, for each payment,
   *   what may have been asked for, longer than the sheet is open; `asked` runs when a claim is on its way, or may be
   */
  constructor({ session, unsure, asked }) {
    this.session = session;
    this.unsure = unsure;
    this.asked = asked;
    this.amount = element('input.input', { id: 'back-amount', type: 'text', inputmode: 'decimal', autocomplete: 'off', maxlength: '20', 'aria-describedby': 'back-most back-problem' });
    this.reason = element('input.input', { id: 'back-reason', type: 'text', autocomplete: 'off', maxlength: REASON_LENGTH_MAX, placeholder: 'Such as: bought by mistake', 'aria-describedby': 'back-problem' });
    this.label = element('label', { for: 'back-amount' }, 'Amount');
    this.most = element('p.tiny.secondary', { id: 'back-most' });
    this.problem = element('p.back__problem.small', { id: 'back-problem', role: 'alert', hidden: true });
    this.send = element('button.button.button--wide', { type: 'submit' }, 'Give money back');
    this.news = element('p.back__news.small', { role: 'status', hidden: true });
    this.none = element('p.small.secondary', { hidden: true });
    this.form = element(
      'form.back__form',
      { novalidate: true },
      element('div.field', {}, this.label, this.amount, this.most),
      element('div.field', {}, element('label', { for: 'back-reason' }, 'Reason, kept with the refund'), this.reason),
      this.problem,
      this.send,
    );
    this.node = element('section.back', { 'aria-labelledby': 'back-title', hidden: true }, element('h3', { id: 'back-title' }, 'Give money back'), this.none, this.news, this.form);
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#press();
    });
    for (const field of [this.amount, this.reason]) field.addEventListener('input', () => this.#complain(''));
  }

  /** The payment stands so now. */
  show(payment) {
    this.#payment = payment;
    this.node.hidden = payment.transfer === null || EXPONENTS[payment.currency] === undefined;
    if (this.node.hidden) return;
    this.#recognise();
    const left = leftOf(payment);
    const unsure = this.unsure.get(payment.id);
    this.form.hidden = left === 0 && unsure === undefined;
    this.none.hidden = !this.form.hidden;
    this.none.textContent = 'There is nothing left to give back: all of it was given back, or is disputed.';
    this.label.textContent = `Amount in ${payment.currency}`;
    this.most.textContent = `At most ${amountOf(left, payment.currency)}. Coins that were spent are not refunded.`;
    if (unsure !== undefined) this.#refill(typed(unsure.amount_minor, payment.currency), unsure.reason);
    else if (this.amount.value === this.#given) this.#refill(typed(left, payment.currency), this.reason.value);
    this.#label();
  }

  /** What was asked for is among the claims: then it was heard, and its state is news. */
  #recognise() {
    const payment = this.#payment;
    const wish = this.unsure.get(payment.id);
    const heard = wish && payment.claims.find((claim) => claim.id === idOf(payment, wish));
    if (heard) this.#heard(heard.id);
    const claim = payment.claims.find((one) => one.id === this.#asked);
    if (claim) this.#tell(newsOf(claim, payment.currency));
  }

  async #press() {
    if (this.#busy) return;
    const payment = this.#payment;
    let wish = this.unsure.get(payment.id);
    if (wish === undefined) {
      const meant = this.#meant();
      if (meant === null || !(await this.#sure(meant))) return;
      wish = { key: uuid7(Date.now()), ...meant };
    }
    await this.#post(payment, wish);
  }

  /** What is in the fields, or null: then what is wrong stands beside them. */
  #meant() {
    const { currency } = this.#payment;
    const left = leftOf(this.#payment);
    const { minor, wrong } = minorOf(this.amount.value, currency);
    if (wrong !== undefined) return this.#complain(wrong, this.amount);
    if (minor > left) return this.#complain(`Only ${amountOf(left, currency)} is left to give back.`, this.amount);
    const reason = this.reason.value.trim();
    if (reason === '') return this.#complain('Write why, for whoever reads this later.', this.reason);
    return { amount_minor: minor, reason };
  }

  #sure({ amount_minor }) {
    const amount = amountOf(amount_minor, this.#payment.currency);
    return ask({
      title: `Give ${amount} back?`,
      text: `${this.#payment.user} gets it the way they paid. The coins that it bought are frozen first, and gone once it is paid. If some of them were spent, nothing is given back.`,
      yes: `Give ${amount} back`,
      no: 'Keep the money',
    });
  }

  async #post(payment, wish) {
    this.#busy = true;
    this.#complain('');
    this.#label();
    try {
      const answer = await this.session.post(`/v1/ops/payments/${encodeURIComponent(payment.id)}/refund`, wish);
      this.#heard(answer.id);
      this.#tell(newsOf(answer, payment.currency));
      this.asked();
    } catch (error) {
      this.#excuse(payment, wish, error);
    } finally {
      this.#busy = false;
      this.#label();
    }
  }

  #excuse(payment, wish, error) {
    if (error.temporary) {
      this.unsure.set(payment.id, wish);
      this.#complain(`${saidOf(error)} It is not known whether this was asked for. Ask again: it is given back once.`);
      this.asked();
      return;
    }
    this.unsure.delete(payment.id);
    this.#complain(saidOf(error), this.amount);
  }

  #heard(claim) {
    this.unsure.delete(this.#payment.id);
    this.#asked = claim;
    this.#refill('', '');
    this.#complain('');
  }

  /** Put something in the fields; an amount that nobody has changed since follows what is left. */
  #refill(amount, reason) {
    this.#given = amount;
    this.amount.value = amount;
    this.reason.value = reason;
  }

  #label() {
    const unsure = this.unsure.has(this.#payment.id);
    for (const field of [this.amount, this.reason]) field.readOnly = unsure || this.#busy;
    this.send.setAttribute('aria-disabled', String(this.#busy));
    if (this.#busy) this.send.textContent = 'Asking…';
    else this.send.textContent = unsure ? 'Ask again' : 'Give money back';
  }

  #complain(text, field = null) {
    this.problem.hidden = text === '';
    this.problem.textContent = text;
    for (const one of [this.amount, this.reason]) one.setAttribute('aria-invalid', String(one === field && text !== ''));
    if (text !== '') field?.focus();
    return null;
  }

  #tell({ text, tone }) {
    this.news.hidden = false;
    this.news.dataset.tone = tone;
    if (this.news.textContent !== text) this.news.textContent = text;
  }
}

/** What of a payment was neither given back nor disputed, in minor units; the server has the last word. */
function leftOf({ amount_minor, claims }) {
  const taken = claims.filter((claim) => claim.state !== 'won').reduce((sum, claim) => sum + claim.amount_minor, 0);
  return Math.max(0, amount_minor - taken);
}

function idOf(payment, wish) {
  return `${payment.id}-refund-${wish.key}`;
}
