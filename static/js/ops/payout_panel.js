import { copyButton } from '../ui/copy.js';
import { sheet } from '../ui/dialog.js';
import { element, fill } from '../ui/element.js';
import { amountOf } from '../ui/money.js';
import { counted } from '../ui/numbers.js';
import { exactTime } from '../ui/times.js';
import { OrderWatch } from '../wallet/order_watch.js';
import { saidOf, tidy } from './payment_words.js';
import { PayoutReview } from './payout_review.js';
import { PayoutStop } from './payout_stop.js';
import { goesOn, reasonOf, reviewOf, stateOf, stepOf } from './payout_words.js';

/** One payout over the page: its terms, everything that happened, stopping it while it was not sent, and deciding what needs a look. */
export class PayoutPanel {
  #dialog = null;
  #watch = null;
  #drawn = '';

  /** @param {{session: Session, changed: () => void, closed: () => void}} parts `changed` runs when a payout stands otherwise than it was opened with */
  constructor({ session, changed, closed }) {
    this.session = session;
    this.changed = changed;
    this.closed = closed;
  }

  /** Show a payout, and follow it while something may still happen to it. */
  open(id) {
    this.close();
    this.#drawn = '';
    this.path = `/v1/ops/payouts/${encodeURIComponent(id)}`;
    this.face = element('header.terms', { tabindex: '-1', autofocus: true }, element('p.strong', { role: 'status' }, 'Looking for the payout…'));
    this.facts = element('dl.facts', {});
    this.steps = element('ol.steps-list', {});
    this.note = element('p.payment__note.small', { role: 'status' });
    const heard = { session: this.session, told: (payout) => this.#watch.told(payout), again: () => this.#watch.check() };
    this.stop = new PayoutStop(heard);
    this.review = new PayoutReview(heard);
    this.history = element('section.happened', { 'aria-labelledby': 'payout-happened-title', hidden: true }, element('h3', { id: 'payout-happened-title' }, 'What happened'), this.steps);
    this.body = element(
      'div.payment',
      { data: { payout: id, state: 'unknown' } },
      element('div.payment__column', {}, this.face, this.facts, this.review.node, this.stop.node),
      element('div.payment__column', {}, this.note, this.history),
    );
    const dialog = sheet({ title: 'Payout', body: [this.body] });
    dialog.classList.add('sheet--payment');
    this.#dialog = dialog;
    dialog.addEventListener('close', () => {
      if (this.#dialog !== dialog) return;
      this.#dialog = null;
      this.#watch.stop();
      this.closed();
    });
    this.#follow();
  }

  close() {
    this.#dialog?.close();
  }

  #follow() {
    this.#watch?.stop();
    const { path } = this;
    this.#watch = new OrderWatch({
      ask: () => this.session.get(path),
      shown: (payout) => this.#show(payout),
      excused: (error) => this.#excuse(error),
      goesOn,
    });
    this.#watch.check();
  }

  #show(payout) {
    const { state: before } = this.body.dataset;
    this.body.dataset.state = payout.state;
    this.note.textContent = '';
    this.stop.show(payout);
    this.review.show(payout);
    const drawn = JSON.stringify(payout);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.#drawTerms(payout);
    this.history.hidden = false;
    fill(this.steps, ...payout.steps.map((step, place) => drawStep(step, payout.steps[place - 1])));
    if (before !== 'unknown' && before !== payout.state) this.changed();
  }

  #drawTerms(payout) {
    const { text, tone } = stateOf(payout.state);
    fill(
      this.face,
      element('p.terms__amount', {}, amountOf(payout.amount_minor, payout.currency)),
      element('p.diamonds', {}, counted(payout.diamonds, 'diamond')),
      element('p.state', { data: { tone } }, text),
      payout.review !== null && element('div.review', {}, element('p.review__title', {}, 'Needs a look'), element('p.small', {}, reviewOf(payout))),
    );
    const reason = reasonOf(payout);
    const rows = [
      ['Person', payout.user],
      ['Goes to', payout.address_masked],
      ['Provider', tidy(payout.provider)],
      ['Asked for', exactTime(payout.created_at_ms)],
      ['Changed', exactTime(payout.updated_at_ms)],
      ['Rate', `Version ${payout.rate_version}`],
      reason !== '' && ['Why', reason],
    ].filter(Boolean);
    fill(
      this.facts,
      ...rows.map(([term, value]) => element('div.fact', {}, element('dt', {}, term), element('dd', {}, value))),
      payout.provider_ref !== null && reference('Its number', payout.provider_ref, 'Copy the provider’s number'),
      reference('Payout', payout.id, 'Copy the payout’s number'),
    );
  }

  #excuse(error) {
    if (error.temporary) {
      this.note.textContent = 'The server cannot be reached right now. We keep asking; what stands here may be old.';
      return;
    }
    const words = error.code === 'unauthorized' ? error.message : saidOf(error);
    fill(this.face, element('p.strong', { role: 'status' }, 'This payout cannot be shown'), element('p.small.secondary', {}, words));
  }
}

function reference(term, value, label) {
  return element('div.fact', {}, element('dt', {}, term), element('dd.fact__reference', {}, element('code', {}, value), copyButton(value, label)));
}

function drawStep(step, before) {
  const { title, tone, detail, source } = stepOf(step, before);
  return element(
    'li.happening',
    { data: { tone } },
    element('p.happening__title', {}, title),
    detail !== '' && element('p.small', {}, detail),
    element('p.tiny.secondary', {}, `${source} · `, element('time', { datetime: new Date(step.at_ms).toISOString() }, exactTime(step.at_ms))),
  );
}
