import { copyButton } from '../ui/copy.js';
import { sheet } from '../ui/dialog.js';
import { element, fill } from '../ui/element.js';
import { count } from '../ui/numbers.js';
import { exactTime } from '../ui/times.js';
import { OrderWatch } from '../wallet/order_watch.js';
import { Claims } from './claims.js';
import { isOpen, standOf } from './claim_words.js';
import { GiveBack } from './give_back.js';
import { amountOf, perHundredOf } from '../ui/money.js';
import { coinsOf, declineOf, holdOf, reviewOf, saidOf, stateOf, stepOf, tidy } from './payment_words.js';
import { Review } from './review.js';

const MOVES = new Set(['created', 'pending', 'requires_action', 'authorised', 'succeeded']);

/** One payment over the page: its terms, everything that happened, who bears what of its claims, and giving money back. */
export class PaymentPanel {
  #dialog = null;
  #watch = null;
  #unsure = new Map();
  #drawn = '';
  #moved = true;

  /** @param {{session: Session, changed: (payment: object) => void, closed: () => void}} parts `changed` hears how the payment stands */
  constructor({ session, changed, closed }) {
    this.session = session;
    this.changed = changed;
    this.closed = closed;
  }

  /** Show a payment, and follow it while something may still happen to it. */
  open(id) {
    this.close();
    this.#build(id);
    this.path = `/v1/ops/payments/${encodeURIComponent(id)}`;
    const dialog = sheet({ title: 'Payment', body: [this.body] });
    dialog.classList.add('sheet--payment');
    this.#dialog = dialog;
    dialog.addEventListener('close', () => {
      if (this.#dialog !== dialog) return;
      this.#dialog = null;
      this.#watch?.stop();
      this.closed();
    });
    this.#follow();
  }

  close() {
    this.#dialog?.close();
  }

  /**
   * Ask at once, and on: often at first, and never again once nothing can happen any more. A payment and its claims are
   * not read in one instant, so an answer counts once it comes twice.
   */
  #follow() {
    this.#watch?.stop();
    const path = this.path;
    this.#watch = new OrderWatch({
      ask: () => this.session.get(path),
      shown: (payment) => this.#show(payment),
      excused: (error) => this.#excuse(error),
      goesOn: (payment) => this.#moved || MOVES.has(payment.state) || payment.claims.some(isOpen) || this.#unsure.has(payment.id),
    });
    this.#watch.check();
  }

  #build(id) {
    this.#drawn = '';
    this.face = element('header.terms', { tabindex: '-1', autofocus: true }, element('p.strong', { role: 'status' }, 'Looking for the payment…'));
    this.facts = element('dl.facts', {});
    this.steps = element('ol.steps-list', {});
    this.claims = new Claims();
    this.note = element('p.payment__note.small', { role: 'status' });
    this.review = new Review({ session: this.session, decided: () => this.#follow() });
    this.giveBack = new GiveBack({ session: this.session, unsure: this.#unsure, asked: () => this.#follow() });
    const history = element('section.happened', { 'aria-labelledby': 'happened-title', hidden: true }, element('h3', { id: 'happened-title' }, 'What happened'), this.steps);
    this.history = history;
    this.body = element(
      'div.payment',
      { data: { payment: id, state: 'unknown' } },
      element('div.payment__column', {}, this.face, this.review.node, this.facts, this.giveBack.node),
      element('div.payment__column', {}, this.note, this.claims.node, history),
    );
  }

  #show(payment) {
    this.body.dataset.state = payment.state;
    this.note.textContent = '';
    this.review.show(payment);
    this.giveBack.show(payment);
    const drawn = JSON.stringify(payment);
    this.#moved = drawn !== this.#drawn;
    if (!this.#moved) return;
    this.#drawn = drawn;
    this.#drawTerms(payment);
    this.claims.show(payment);
    this.history.hidden = false;
    fill(this.steps, ...payment.steps.map(drawStep));
    this.changed(payment);
  }

  #drawTerms(payment) {
    const { text, tone } = stateOf(payment.state);
    const dispute = payment.claims.findLast((claim) => claim.kind === 'dispute');
    const decline = declineOf(payment);
    fill(
      this.face,
      element('p.terms__amount', {}, amountOf(payment.amount_minor, payment.currency)),
      element('p.coins', {}, coinsOf(payment, count), ' coins'),
      element('p.small.secondary', {}, perHundredOf(payment)),
      element('p.state', { data: { tone } }, text),
      dispute !== undefined && element('p.state', { data: { tone: standOf(dispute).tone } }, `Dispute: ${standOf(dispute).text.toLowerCase()}`),
      payment.review !== null && element('div.review', {}, element('p.review__title', {}, 'Needs a look'), element('p.small', {}, reviewOf(payment))),
    );
    const rows = [
      ['Person', payment.user],
      ['Ordered', exactTime(payment.created_at_ms)],
      ['Changed', exactTime(payment.updated_at_ms)],
      payment.promotion !== null && ['Promotion', payment.promotion],
      ...payment.holds.map((reason) => ['Wallet on hold', holdOf(reason, payment)]),
      decline !== '' && ['Declined', decline],
      ['Provider', tidy(payment.provider)],
    ].filter(Boolean);
    const references = [
      payment.provider_ref !== null && ['Its number', payment.provider_ref, 'Copy the provider’s number'],
      ['Payment', payment.id, 'Copy the payment’s number'],
      payment.transfer !== null && ['Transfer', payment.transfer, 'Copy the transfer’s number'],
    ].filter(Boolean);
    fill(
      this.facts,
      ...rows.map(([term, value]) => element('div.fact', {}, element('dt', {}, term), element('dd', {}, value))),
      ...references.map(reference),
    );
  }

  #excuse(error) {
    if (error.temporary) {
      this.note.textContent = 'The server cannot be reached right now. We keep asking; what stands here may be old.';
      return;
    }
    const words = error.code === 'unauthorized' ? error.message : saidOf(error);
    fill(this.face, element('p.strong', { role: 'status' }, 'This payment cannot be shown'), element('p.small.secondary', {}, words));
  }
}

function reference([term, value, label]) {
  return element('div.fact', {}, element('dt', {}, term), element('dd.fact__reference', {}, element('code', {}, value), copyButton(value, label)));
}

function drawStep(step) {
  const { title, tone, detail, source } = stepOf(step);
  return element(
    'li.happening',
    { data: { tone } },
    element('p.happening__title', {}, title),
    detail !== '' && element('p.small', {}, detail),
    element('p.tiny.secondary', {}, `${source} · `, element('time', { datetime: new Date(step.at_ms).toISOString() }, exactTime(step.at_ms))),
  );
}
