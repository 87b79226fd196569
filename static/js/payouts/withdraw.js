import { sheet } from '../ui/dialog.js';
import { element } from '../ui/element.js';
import { moneyOf } from './rate.js';
import { Account } from './account.js';
import { Amount } from './amount.js';
import { barredWords, refusalWords, waitsWords } from './words.js';

const UNSURE = 'It is not known whether this was asked for. Ask again: it stays one payout.';

/** The sheet for withdrawing: where the money goes, how much, and one button that says it. */
export class Withdraw {
  #dialog = null;
  #terms = null;

  /**
   * @param {{session: Session, wish: Wish, asked: (payout: object) => void, changed: () => void}} parts `asked` gets the payout
   *   that was made, `changed` runs when terms may be others now
   */
  constructor({ session, wish, asked, changed }) {
    this.session = session;
    this.wish = wish;
    this.asked = asked;
    this.changed = changed;
  }

  /** @param {object} terms as the page knows them @param {boolean} [onlyAccount] only to set where it goes */
  open(terms, onlyAccount = false) {
    this.close();
    this.onlyAccount = onlyAccount;
    this.amount = new Amount(() => this.#label());
    this.account = new Account({ session: this.session, changed: () => this.#settle() });
    this.problem = element('p.payouts__problem.small', { id: 'withdraw-problem', role: 'alert', hidden: true });
    this.send = element('button.button.button--primary.button--wide', { type: 'submit', 'aria-describedby': 'withdraw-problem withdraw-note' });
    this.note = element('p.tiny.secondary', { id: 'withdraw-note' }, 'The diamonds are set aside at once. You can cancel until it is sent, a moment later.');
    this.form = element('form.withdraw__form', { novalidate: true }, this.amount.node, this.problem, this.send, this.note);
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#press();
    });
    const dialog = sheet({ title: onlyAccount ? 'Your account' : 'Withdraw', body: [this.account.node, this.form] });
    dialog.classList.add('sheet--withdraw');
    this.#dialog = dialog;
    dialog.addEventListener('close', () => {
      if (this.#dialog === dialog) this.#dialog = null;
    });
    this.show(terms);
    if (this.account.account === null) this.account.focus();
  }

  close() {
    this.#dialog?.close();
    this.#dialog = null;
  }

  /** Terms as they are now, if the sheet is open. */
  show(terms) {
    if (this.#dialog === null) return;
    this.#terms = terms;
    this.account.show(terms);
    this.amount.show(terms);
    this.#settle({ told: true });
  }

  /** The amount is asked for once it is known where it goes. */
  #settle({ told = false } = {}) {
    if (this.account.account !== null) this.#terms = { ...this.#terms, account: this.account.account };
    const { unanswered } = this.wish;
    this.amount.fix(unanswered);
    this.form.hidden = this.onlyAccount || this.account.account === null || this.#accountWaits;
    this.#label();
    if (told) return;
    if (!this.form.hidden) this.amount.diamonds.focus();
    this.changed();
  }

  async #press() {
    if (this.#waits !== '') return;
    const unanswered = this.wish.unanswered;
    const meant = unanswered === null ? this.amount.meant : {};
    if (meant === null) return;
    const { currency } = this.#terms.rate;
    this.#say('');
    const asking = this.wish.ask({ diamonds: meant.diamonds, amount_minor: meant.minor, currency });
    this.amount.fix(this.wish.unanswered);
    this.#label();
    try {
      const payout = await asking;
      if (payout === null) return; // a second press while the first is on its way
      this.close();
      this.asked(payout);
    } catch (error) {
      this.changed();
      if (this.#dialog === null) return;
      this.amount.fix(this.wish.unanswered);
      this.#say(this.wish.unanswered === null ? refusalWords(error) : `${refusalWords(error)} ${UNSURE}`);
      this.#label();
    }
  }

  /** Why the button cannot be pressed now; empty when it can. */
  get #waits() {
    if (this.wish.unanswered !== null) return '';
    const { account } = this.#terms;
    return barredWords(this.#terms) || (account === null ? '' : waitsWords(account));
  }

  /** A changed account says itself from when on it can be used: until then no amount is asked for. */
  get #accountWaits() {
    const { account } = this.account;
    return this.wish.unanswered === null && account !== null && waitsWords(account) !== '';
  }

  #label() {
    if (this.#terms === null) return;
    const { value } = this.amount;
    const { busy, unanswered } = this.wish;
    const waits = this.form.hidden ? '' : this.#waits;
    const amount = value === null ? '' : ` ${moneyOf(value.minor, this.#terms.rate)}`;
    this.send.setAttribute('aria-disabled', String(busy || waits !== ''));
    if (busy) this.send.textContent = 'Asking…';
    else this.send.textContent = unanswered === null ? `Withdraw${amount}` : `Ask again for${amount}`;
    if (waits !== '') this.#say(waits);
    else if (this.problem.dataset.waits === 'true') this.#say('');
    this.problem.dataset.waits = String(waits !== '');
  }

  #say(text) {
    this.problem.hidden = text === '';
    if (this.problem.textContent !== text) this.problem.textContent = text;
  }
}
