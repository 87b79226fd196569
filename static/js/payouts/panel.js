import { copyButton } from '../ui/copy.js';
import { ask, sheet } from '../ui/dialog.js';
import { Dots } from '../ui/dots.js';
import { element, fill } from '../ui/element.js';
import { price } from '../ui/money.js';
import { OrderWatch } from '../wallet/order_watch.js';
import { accountWords, diamondsOf, dotsOf, isUnderWay, momentOf, refusalWords, standingOf } from './words.js';

/** One payout over the page: what it is, how far it is, what happens now, and taking it back while that can be done. */
export class PayoutPanel {
  #dialog = null;
  #watch = null;
  #state = null;
  #busy = false;

  /** @param {{session: Session, changed: (payout: object) => void}} parts `changed` hears every other state */
  constructor({ session, changed }) {
    this.session = session;
    this.changed = changed;
  }

  /** Show a payout, and follow it until it ends. @param {object} payout as a list or an answer has it */
  open(payout, providers) {
    this.close();
    this.#state = payout.state;
    this.#busy = false;
    this.providers = providers;
    this.path = `/v1/payouts/${encodeURIComponent(payout.id)}`;
    this.#build(payout);
    const dialog = sheet({ title: 'Your payout', body: [this.body] });
    dialog.classList.add('sheet--withdraw');
    this.#dialog = dialog;
    dialog.addEventListener('close', () => {
      if (this.#dialog !== dialog) return;
      this.#dialog = null;
      this.#watch.stop();
    });
    this.#draw(payout);
    this.#follow();
  }

  /** Somebody saw that this payout stands otherwise: one that was paid may come back days later. */
  heard({ id, state }) {
    if (this.#dialog !== null && this.payout.id === id && this.#state !== state) this.#follow();
  }

  #follow() {
    this.#watch?.stop();
    const { path } = this;
    this.#watch = new OrderWatch({
      ask: () => this.session.get(path),
      shown: (found) => this.#show(found),
      excused: (error) => this.#excuse(error),
      goesOn: isUnderWay,
    });
    this.#watch.check();
  }

  close() {
    this.#watch?.stop();
    this.#dialog?.close();
    this.#dialog = null;
  }

  #build(payout) {
    this.dots = new Dots('How far the payout is');
    this.title = element('p.strong', {});
    this.text = element('p.small.secondary', {});
    this.standing = element('div.payout__standing', { role: 'status', tabindex: '-1', autofocus: true }, this.title, this.text);
    this.note = element('p.payout__note.small', { role: 'alert' });
    this.cancel = element('button.button.button--quiet', { type: 'button' }, 'Cancel the payout');
    this.cancel.addEventListener('click', () => this.#cancel());
    this.body = element(
      'div.payout',
      { data: { payout: payout.id } },
      element('div.payout__face', {}, element('p.payout__amount', {}, price(payout)), element('p.diamonds', {}, element('span.diamond-mark', { 'aria-hidden': 'true' }), ' ', diamondsOf(payout))),
      this.dots.node,
      this.standing,
      this.note,
      this.cancel,
      element(
        'dl.payout__facts',
        {},
        fact('Asked for', momentOf(payout.created_at_ms)),
        fact('Goes to', accountWords(payout, this.providers)),
        fact('Payout', element('code', {}, payout.id), copyButton(payout.id, 'Copy the payout’s number')),
      ),
    );
  }

  #show(payout) {
    this.note.textContent = '';
    this.#draw(payout);
    if (this.#state === payout.state) return;
    this.#state = payout.state;
    this.changed(payout);
  }

  #draw(payout) {
    this.payout = payout;
    this.body.dataset.state = payout.state;
    this.dots.show(dotsOf(payout));
    const { title, text, tone } = standingOf(payout);
    this.standing.dataset.tone = tone;
    if (this.title.textContent !== title) this.title.textContent = title;
    if (this.text.textContent !== text) this.text.textContent = text;
    const held = document.activeElement === this.cancel;
    this.cancel.hidden = !payout.cancellable;
    if (held && this.cancel.hidden) this.standing.focus();
  }

  async #cancel() {
    if (this.#busy) return;
    const { payout } = this;
    const sure = await ask({
      title: `Cancel ${price(payout)}?`,
      text: `Nothing is sent then, and your ${diamondsOf(payout)} are back at once.`,
      yes: 'Cancel the payout',
      no: 'Let it be paid',
    });
    if (!sure || this.payout.id !== payout.id) return;
    this.#wait(true);
    const watch = this.#watch;
    try {
      const found = await this.session.post(`${this.path}/cancel`);
      if (watch === this.#watch) watch.told(found);
    } catch (error) {
      this.note.textContent = error.temporary ? `${refusalWords(error)} Press again in a moment.` : refusalWords(error);
      if (!error.temporary && watch === this.#watch) watch.check();
    } finally {
      this.#wait(false);
    }
  }

  #wait(busy) {
    this.#busy = busy;
    this.cancel.setAttribute('aria-disabled', String(busy));
    this.cancel.textContent = busy ? 'Cancelling…' : 'Cancel the payout';
  }

  #excuse(error) {
    this.note.textContent = error.temporary ? 'The server cannot be reached right now. We keep asking; nothing is lost.' : refusalWords(error);
  }
}

function fact(term, ...values) {
  return element('div.payout__fact', {}, element('dt', {}, term), element('dd', {}, ...values));
}
