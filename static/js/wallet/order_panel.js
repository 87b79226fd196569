import { RollingNumber } from '../roll.js';
import { copyButton } from '../ui/copy.js';
import { sheet } from '../ui/dialog.js';
import { element, fill } from '../ui/element.js';
import { count, counted } from '../ui/numbers.js';
import { price } from '../ui/money.js';
import { afterwardsOf, disputeOf } from './dispute_words.js';
import { OrderWatch } from './order_watch.js';
import { coinsOf, eachOf, endedUnpaid, findingOf, isOpen, methodOf, momentOf, standingOf } from './order_words.js';
import { reportButton } from './report.js';
import { Timeline } from './timeline.js';

const PATIENT_MS = 15_000;

/** One order over the page: what was bought, four dots, what happens now, and what may be done about it. */
export class OrderPanel {
  #dialog = null;
  #watch = null;
  #state = null;
  #path = '';
  #impatient = false;
  #number = null;
  #roll = (coins) => this.#number?.set(coins);

  /**
   * @param {{session: Session, balance: Balance, changed: (payment: object) => void, again: (payment: object) => void, closed: () => void, reported: () => void}} parts
   *   `changed` hears every other state, `again` that somebody wants to buy the same once more
   */
  constructor({ session, balance, changed, again, closed, reported }) {
    this.session = session;
    this.balance = balance;
    this.changed = changed;
    this.again = again;
    this.closed = closed;
    this.reported = reported;
  }

  /**
   * Show an order and follow it until it ends.
   *
   * @param {string} id
   * @param {object|null} known the payment as a list has it
   */
  open(id, known = null) {
    this.close();
    this.#state = known?.state ?? null;
    this.#impatient = known !== null;
    this.#build(id);
    this.#path = `/v1/payments/${encodeURIComponent(id)}`;
    const path = this.#path;
    const watch = new OrderWatch({
      ask: () => this.session.get(path),
      shown: (payment) => this.#show(payment),
      excused: (error) => this.#excuse(error),
      goesOn: (payment) => isOpen(payment) || payment.in_review || disputeOf(payment) === 'open',
    });
    this.#watch = watch;
    const dialog = sheet({ title: 'Your order', body: [this.body] });
    dialog.classList.add('sheet--order');
    dialog.addEventListener('close', () => {
      watch.stop();
      this.balance.forget(this.#roll);
      if (this.#dialog === dialog) this.#dialog = null;
      this.closed();
    });
    this.#dialog = dialog;
    if (known !== null) this.#show({ ...known, steps: [] });
    watch.check();
  }

  close() {
    this.#dialog?.close();
  }

  #build(id) {
    this.face = element('div.order__face', {}, element('div.skeleton.order__skeleton', {}));
    this.timeline = new Timeline();
    this.after = element('ol.order__after', { 'aria-label': 'What came after', hidden: true });
    this.title = element('p.strong', {}, 'Looking for your order…');
    this.text = element('p.small.secondary', {});
    this.standing = element('div.order__standing', { role: 'status', tabindex: '-1', autofocus: true, data: { tone: 'plain' } }, this.title, this.text);
    this.held = element('span.order__held-number', {});
    this.balanceLine = element('p.order__held', { hidden: true }, element('span.small.secondary', {}, 'Your balance'), element('span.coin-mark', { 'aria-hidden': 'true' }), this.held);
    this.note = element('p.order__note.small', { role: 'status' });
    this.pay = element('a.button.button--primary', { hidden: true }, 'Continue to payment');
    this.retry = this.#button('button.button.button--primary', 'Try again', () => this.#again());
    this.ask = this.#button('button.button.button--quiet', 'Not credited?', () => this.#post('check', this.ask, 'Asking the provider…', findingOf));
    this.cancel = this.#button('button.button.button--quiet', 'Cancel order', () => this.#post('cancel', this.cancel, 'Cancelling…', cancelledOr));
    this.facts = element('dl.facts', {});
    this.report = reportButton({ session: this.session, subject: { kind: 'payment', id }, reported: this.reported });
    this.report.hidden = true;
    const actions = element('div.order__actions', {}, this.pay, this.retry, this.ask, this.cancel, this.report);
    this.body = element('div.order-panel', {}, this.face, this.timeline.node, this.after, this.standing, this.balanceLine, this.note, actions, this.facts);
    this.#number = null;
    this.payment = null;
  }

  #button(tag, label, run) {
    const button = element(tag, { type: 'button', hidden: true }, label);
    button.addEventListener('click', run);
    return button;
  }

  #show(payment) {
    const before = this.#state;
    const told = this.payment;
    this.payment = payment;
    this.#state = payment.state;
    this.body.dataset.state = payment.state;
    this.#describe(payment);
    this.timeline.show(payment);
    this.#tellAfter(payment);
    this.#stand(standingOf(payment));
    this.#offer(payment);
    this.#tell(payment);
    if (before !== payment.state && payment.state === 'credited') this.#celebrate();
    if (before !== payment.state || told?.dispute !== payment.dispute || told?.in_review !== payment.in_review) this.changed(payment);
  }

  #describe(payment) {
    const bonus = coinsOf(payment) - payment.coins;
    const parts = bonus > 0 ? `${count(payment.coins)} + ${count(bonus)} bonus` : '';
    if (this.face.dataset.told === String(bonus)) return;
    this.face.dataset.told = String(bonus);
    fill(
      this.face,
      element('p.order__coins', {}, element('span.coin-mark', { 'aria-hidden': 'true' }), counted(coinsOf(payment), 'coin')),
      element('p.order__price', {}, [price(payment), parts].filter(Boolean).join(' · ')),
      element('p.small.secondary', {}, eachOf(payment)),
    );
  }

  #tellAfter(payment) {
    const rows = afterwardsOf(payment);
    const told = JSON.stringify(rows);
    if (this.after.dataset.told === told) return;
    this.after.dataset.told = told;
    this.after.hidden = rows.length === 0;
    fill(this.after, ...rows.map(({ text, at_ms }) => element('li', {}, element('span', {}, text), element('time.secondary', { datetime: new Date(at_ms).toISOString() }, momentOf(at_ms)))));
  }

  #stand({ title, text, tone }) {
    this.standing.dataset.tone = tone;
    if (this.title.textContent !== title) this.title.textContent = title;
    if (this.text.textContent !== text) this.text.textContent = text;
  }

  /** Buttons come and go; the focus never falls off the sheet with one that goes. */
  #offer(payment) {
    const held = this.body.contains(document.activeElement) ? document.activeElement : null;
    const payable = payment.checkout_url !== null && payment.state !== 'authorised';
    this.pay.hidden = !payable;
    if (payable) this.pay.href = payment.checkout_url;
    this.cancel.hidden = !payable;
    this.retry.hidden = payment.in_review || (!endedUnpaid(payment) && !(payment.state === 'created' && !payable));
    this.report.hidden = false;
    this.ask.hidden = !(isOpen(payment) || payment.in_review) || !(this.#impatient || this.#watch.watched_ms > PATIENT_MS);
    if (held?.hidden) this.standing.focus();
  }

  #tell(payment) {
    const method = methodOf(payment);
    const rows = [
      ['Ordered', momentOf(payment.created_at_ms)],
      method && ['Way to pay', method],
    ].filter(Boolean);
    const told = JSON.stringify(rows);
    if (this.facts.dataset.told === told) return;
    this.facts.dataset.told = told;
    const number = element('dd.fact__reference', {}, element('code', {}, payment.id), copyButton(payment.id, 'Copy the order number'));
    fill(
      this.facts,
      ...rows.map(([term, value]) => element('div.fact', {}, element('dt', {}, term), element('dd', {}, value))),
      element('div.fact', {}, element('dt', {}, 'Order'), number),
    );
  }

  #celebrate() {
    this.balanceLine.hidden = false;
    this.#number = new RollingNumber(this.held);
    this.balance.follow(this.#roll);
    this.balance.expect();
  }

  #again() {
    const payment = this.payment;
    this.close();
    this.again(payment);
  }

  /** Ask the server to do something about the order, and say what came of it. */
  async #post(verb, button, waiting, found) {
    if (button.getAttribute('aria-disabled') === 'true') return;
    const label = button.textContent;
    const watch = this.#watch;
    const note = this.note;
    button.setAttribute('aria-disabled', 'true');
    button.textContent = waiting;
    try {
      const payment = await this.session.post(`${this.#path}/${verb}`);
      if (watch !== this.#watch) return;
      watch.told(payment);
      note.textContent = found(payment);
    } catch (error) {
      note.textContent = (error.status === 503 || error.status === 429) && error.said ? error.said : error.message;
    } finally {
      button.removeAttribute('aria-disabled');
      button.textContent = label;
    }
  }

  #excuse(error) {
    if (error.temporary) {
      this.note.textContent = 'The server cannot be reached right now. We keep asking; nothing is lost.';
      return;
    }
    const unknown = error.code === 'payment_not_found' || error.status === 404 || error.code === 'bad_request';
    this.body.dataset.state = 'unknown';
    fill(this.face);
    this.timeline.node.hidden = true;
    this.#stand({
      title: unknown ? 'We do not find this order' : 'This order cannot be shown',
      text: unknown ? 'It is not in your wallet. If you bought as somebody else, be them and look again. Your own orders stand below the store.' : error.message,
      tone: 'plain',
    });
  }
}

function cancelledOr(payment) {
  return payment.state === 'cancelled' ? '' : `It could not be cancelled any more. ${findingOf(payment)}`;
}
