import { element, fill } from '../ui/element.js';
import { counted } from '../ui/numbers.js';
import { OrderWatch } from '../wallet/order_watch.js';
import { PAGE_PAYOUTS, PayoutList } from './list.js';
import { PayoutPanel } from './panel.js';
import { moneyOf, rateWords, stepOf } from './rate.js';
import { Withdraw } from './withdraw.js';
import { Wish } from './wish.js';
import { accountWords, barredWords, isUnderWay, newsOf, refusalWords, waitsWords } from './words.js';

/** Paying the creator out: what can be withdrawn, the button for it or why not, where it goes, and every payout. */
export class PayoutDesk {
  #watch = null;
  #going = false;
  #terms = null;

  /** @param {{session: Session, moved: () => void}} parts `moved` runs when diamonds have moved */
  constructor({ session, moved }) {
    this.session = session;
    this.moved = moved;
    this.wish = new Wish(session);
    this.panel = new PayoutPanel({ session, changed: (payout) => this.#changed(payout) });
    this.sheet = new Withdraw({ session, wish: this.wish, asked: (payout) => this.#asked(payout), changed: () => this.#checkAgain() });
    this.list = new PayoutList({ session, opened: (payout) => this.panel.open(payout, this.#terms.providers) });
    this.sum = element('p.payouts__sum', {}, '···');
    this.rate = element('p.small.secondary', {});
    this.withdraw = element('button.button.button--primary.button--wide', { type: 'button', 'aria-describedby': 'withdraw-why', 'aria-disabled': 'true' }, 'Withdraw');
    this.why = element('p.small.payouts__why', { id: 'withdraw-why', role: 'status' });
    this.goes = element('span.small.payouts__goes', {});
    this.change = element('button.button.button--quiet', { type: 'button', 'aria-label': 'Change your account' }, 'Change');
    this.account = element('div.payouts__account', { hidden: true }, this.goes, this.change);
    this.news = element('p.visually-hidden', { role: 'status' });
    this.withdraw.addEventListener('click', () => this.#press());
    this.change.addEventListener('click', () => this.sheet.open(this.#terms, true));
    this.node = element(
      'section.payouts',
      { 'aria-labelledby': 'withdraw-title' },
      element('h2.now__label', { id: 'withdraw-title' }, 'Available in money'),
      this.sum,
      this.rate,
      this.withdraw,
      this.why,
      this.account,
      this.list.node,
      this.news,
    );
  }

  /** Ask now, and on while something is under way; not while nobody looks. */
  check() {
    if (this.#going) return this.#watch.check();
    this.#watch?.stop();
    this.#watch = new OrderWatch({
      ask: () => this.#ask(),
      shown: (found) => this.#show(found),
      excused: (error) => this.#excuse(error),
      goesOn: ({ page }) => {
        this.#going = page.payouts.some(isUnderWay);
        return this.#going;
      },
    });
    return this.#watch.check();
  }

  /** Nobody looks at it any more. */
  rest() {
    this.#watch?.stop();
    this.#going = false;
  }

  close() {
    this.rest();
    this.panel.close();
    this.sheet.close();
  }

  async #ask() {
    const [terms, page] = await Promise.all([this.session.get('/v1/payouts/terms'), this.session.get(`/v1/payouts?limit=${PAGE_PAYOUTS}`)]);
    return { terms, page };
  }

  #show({ terms, page }) {
    this.#terms = terms;
    const moved = this.list.show(page);
    if (moved.length > 0) {
      this.news.textContent = moved.map(newsOf).join(' ');
      for (const payout of moved) this.panel.heard(payout);
      this.moved();
    }
    this.#draw();
    this.sheet.show(terms);
  }

  #draw() {
    const terms = this.#terms;
    const { unanswered, busy } = this.wish;
    const { account } = terms;
    const waits = account === null ? '' : waitsWords(account);
    const barred = unanswered === null ? barredWords(terms) || waits : '';
    const step = stepOf(terms.rate);
    this.sum.textContent = moneyOf(Math.floor(terms.available_diamonds / step.diamonds) * step.minor, terms.rate);
    this.rate.textContent = `${counted(terms.available_diamonds, 'diamond')}; ${rateWords(terms.rate)}.`;
    this.withdraw.textContent = unanswered === null ? 'Withdraw' : `Ask again for ${moneyOf(unanswered.amount_minor, terms.rate)}`;
    this.withdraw.setAttribute('aria-disabled', String(busy || barred !== ''));
    this.#explain(unanswered === null ? barred : 'You asked for a payout, and no answer came. Ask again: it stays one payout.');
    this.account.hidden = terms.too_young || terms.providers.length === 0;
    this.goes.textContent = account === null ? 'You have not said yet where it goes.' : `Goes to ${accountWords(account, terms.providers)}.`;
    this.goes.title = this.goes.textContent;
    this.change.textContent = account === null ? 'Set account' : 'Change';
    this.change.setAttribute('aria-label', account === null ? 'Set account' : 'Change your account');
  }

  #explain(text) {
    if (this.why.textContent !== text) this.why.textContent = text;
  }

  async #press() {
    if (this.#terms === null || this.withdraw.getAttribute('aria-disabled') === 'true') return;
    if (this.wish.unanswered === null) return this.sheet.open(this.#terms);
    try {
      const asking = this.wish.ask();
      this.#draw();
      const payout = await asking;
      if (payout !== null) this.#asked(payout);
    } catch (error) {
      this.#draw();
      this.#explain(`${refusalWords(error)}${this.wish.unanswered === null ? '' : ' Ask again: it stays one payout.'}`);
    }
  }

  #checkAgain() {
    this.#draw();
    this.check();
  }

  #asked(payout) {
    this.list.update(payout);
    this.panel.open(payout, this.#terms.providers);
    this.#changed(payout);
  }

  #changed(payout) {
    this.list.update(payout);
    this.moved();
    this.check();
  }

  #excuse(error) {
    if (this.#terms !== null) return;
    const again = element('button.button.button--quiet', { type: 'button' }, 'Load again');
    again.addEventListener('click', () => this.check());
    fill(this.why, `What you can withdraw did not come. ${refusalWords(error)} `, again);
  }
}
