import { element, fill } from '../ui/element.js';
import { count, counted } from '../ui/numbers.js';
import { perHundred, price } from '../ui/money.js';
import { Packs } from './packs.js';
import { PromoCode } from './promo.js';
import { Purchase } from './purchase.js';
import { drawOffers, Ways } from './ways.js';

const TYPING_MS = 250;

/** Where coins are bought: a choice, its price, and one button that leads to the page where it is paid. */
export class Store {
  #answer = null;
  #terms = null;
  #opened = 0;
  #asked = 0;
  #timer = 0;
  #busy = false;
  #stuck = false;
  #held = false;
  #young = false;

  /**
   * @param {{session: Session, ordered: (payment: object) => void, again: () => void, guardian: () => void}} parts
   *   `ordered` gets an order that has no page to pay on; `again` opens the store once more, after prices did not come;
   *   `guardian` shows where to ask for somebody who looks after one's spending
   */
  constructor({ session, ordered, again, guardian }) {
    this.session = session;
    this.guardian = guardian;
    this.again = again;
    this.ordered = ordered;
    this.purchase = new Purchase(session);
    this.section = document.getElementById('store');
    this.form = document.getElementById('store-form');
    this.offers = document.getElementById('store-offers');
    this.sum = document.getElementById('store-sum');
    this.debt = element('p.small', { id: 'store-debt', hidden: true });
    this.left = element('p.small.secondary', { id: 'store-left', hidden: true });
    this.sum.after(this.debt, this.left);
    this.problem = document.getElementById('store-problem');
    this.button = document.getElementById('store-pay');
    this.refused = document.getElementById('store-refused');
    this.packs = new Packs(document.getElementById('store-packs'), () => this.#chose(TYPING_MS));
    this.ways = new Ways(document.getElementById('store-ways'));
    this.promo = new PromoCode(() => this.#chose(0));
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#pay();
    });
  }

  /** Load what is on sale for whoever is signed in: whether anything is, null when that is not known. */
  async open() {
    this.#opened += 1;
    const opened = this.#opened;
    this.promo.clear();
    this.#answer = null;
    this.#terms = null;
    this.#busy = false;
    this.#young = false;
    this.#say('');
    this.#state('loading');
    drawOffers(this.offers, []);
    this.packs.wait();
    this.#label();
    try {
      const answer = await this.session.get('/v1/store');
      if (opened !== this.#opened) return null;
      if (answer.providers.length === 0) return this.#close();
      this.#draw(answer, null);
      return true;
    } catch (error) {
      if (opened !== this.#opened) return null;
      return this.#excuse(error);
    }
  }

  /** Prices as they are now, with the choice left as it is. Quiet when they do not come. */
  async refresh() {
    if (this.#young) this.again(); // somebody may look after them by now
    if (this.#answer === null || this.#busy) return;
    const opened = this.#opened;
    const answer = await this.session.get('/v1/store').catch(() => null);
    if (answer === null || opened !== this.#opened || answer.providers.length === 0) return;
    this.#draw(answer, this.packs.choice);
  }

  /** The wallet is on hold, or is not any more: whether that bars buying, the server says. */
  held({ on_hold }) {
    if (on_hold === null || on_hold === this.#held) return; // not known: what stands, stays
    this.#held = on_hold;
    this.refresh();
  }

  /** Nothing is sold to whoever is signed in, for their age. */
  get young() {
    return this.#young;
  }

  /** A case has the wallet on hold, and nothing can be ordered. */
  get #barred() {
    return this.#answer?.on_hold === true;
  }

  /** Choose what an order was for, and go to the button that buys it. */
  choose({ pack, coins }) {
    if (this.#answer === null) return;
    if (!(pack !== null && this.packs.select({ pack }))) this.packs.select({ coins });
    this.#chose(0);
    this.button.scrollIntoView({ block: 'center' });
    this.button.focus({ preventScroll: true });
  }

  #draw(answer, choice) {
    this.#answer = answer;
    document.getElementById('store-currency').textContent = `Prices in ${answer.currency}`;
    drawOffers(this.offers, answer.offers);
    this.packs.draw(answer, choice);
    this.ways.draw(answer.providers);
    this.#state('open');
    this.#chose(0);
  }

  #state(state) {
    this.section.dataset.state = state;
    this.section.hidden = state === 'closed';
    this.form.hidden = state === 'refused';
    this.refused.hidden = state !== 'refused';
  }

  #close() {
    this.#state('closed');
    return false;
  }

  #excuse(error) {
    document.getElementById('store-currency').textContent = '';
    if (error.code === 'age_restricted') return this.#turnAway(error);
    if (!error.temporary && error.code !== 'not_sold_here') return this.#close();
    const again = element('button.button.button--quiet', { type: 'button' }, 'Load the prices again');
    again.addEventListener('click', () => this.again());
    this.#state('refused');
    if (error.code === 'not_sold_here') fill(this.refused, element('p.small.secondary', {}, error.message));
    else fill(this.refused, element('p.small', { role: 'alert' }, 'The prices did not come. Your coins are safe.'), again);
    return null;
  }

  /** Whoever is too young sees nothing to pay, and what they can do. */
  #turnAway({ details }) {
    this.#young = true;
    this.#state('refused');
    const ask = element('button.button', { type: 'button' }, 'Ask somebody to look after your spending');
    ask.addEventListener('click', () => this.guardian());
    const out = details.guardian_helps
      ? [element('p.small.secondary', {}, 'With a guardian, who sees what you send and buy, they are for you too.'), ask]
      : [element('p.small.secondary', {}, 'Watching is free, at any age.'), element('a.button', { href: '/' }, 'See who is live')];
    fill(this.refused, element('p', {}, 'Coins are for adults here.'), ...out);
    return null;
  }

  /** Another choice or code: what it costs is known for packs, and asked for everything else. */
  async #chose(typing_ms) {
    clearTimeout(this.#timer);
    this.#asked += 1;
    const question = this.#asked;
    const choice = this.packs.choice;
    this.#stuck = false;
    this.#say('');
    this.packs.cost(null);
    this.#terms = choice?.pack && this.promo.code === null ? this.#listed(choice.pack) : null;
    this.#label();
    if (choice === null && this.promo.code !== null) this.promo.wait();
    if (choice === null || this.#terms !== null) return;
    if (choice.coins !== undefined && typing_ms > 0) await this.#typed(typing_ms);
    if (question === this.#asked) await this.#quote(choice, question);
  }

  async #quote(choice, question) {
    const code = this.promo.code;
    const asked = new URLSearchParams(code === null ? choice : { ...choice, code });
    try {
      const terms = await this.session.get(`/v1/store/quote?${asked}`);
      if (question !== this.#asked) return;
      this.#terms = terms;
      if (choice.coins !== undefined) this.packs.cost(terms);
      if (code !== null) this.promo.accept(terms, choice.pack ? this.#listed(choice.pack).bonus_coins : 0);
      this.#label();
    } catch (error) {
      if (question === this.#asked) await this.#unquoted(error, choice, code);
    }
  }

  async #unquoted(error, choice, code) {
    if (code !== null && !error.temporary) {
      this.promo.refuse(error.code === 'promotion_refused' ? error.said || error.message : error.message);
      await this.#chose(0);
    } else if (error.code === 'bad_request' && choice.coins !== undefined) {
      this.packs.complain(error.said || error.message);
    } else {
      this.#stuck = true;
      this.#say('The price did not come. Nothing was ordered.');
      if (code !== null) this.promo.refuse('The code could not be tried right now. Apply it again in a moment.');
      this.#label();
    }
  }

  #typed(typing_ms) {
    return new Promise((resolve) => {
      this.#timer = setTimeout(resolve, typing_ms);
    });
  }

  #listed(pack) {
    const { currency, exponent, packs } = this.#answer;
    return { ...packs.find((one) => one.id === pack), pack, currency, exponent };
  }

  async #pay() {
    if (this.#busy || this.#barred || this.#answer === null) return;
    if (this.#terms === null) {
      if (this.packs.choice === null) this.packs.complain();
      else if (this.#stuck) this.#chose(0);
      return;
    }
    this.#busy = true;
    this.#say('');
    this.#label();
    try {
      const payment = await this.purchase.order(this.#wish());
      if (payment.checkout_url !== null) return location.assign(payment.checkout_url); // the button waits until the page is left
      this.#rest();
      this.ordered(payment);
    } catch (error) {
      this.#rest();
      await this.#refuse(error);
    }
  }

  /** What was shown is what is ordered. */
  #wish() {
    const { pack, coins, amount_minor, bonus_coins, currency } = this.#terms;
    const what = pack ? { pack } : { coins };
    const code = this.promo.code === null ? {} : { code: this.promo.code };
    return { provider: this.ways.chosen, ...what, amount_minor, bonus_coins, currency, ...code };
  }

  async #refuse(error) {
    if (error.temporary) {
      const why = error.status === 503 && error.said ? error.said : 'The server cannot be reached right now.';
      return this.#say(`${why} Press again in a moment: it stays one order.`);
    }
    const code = this.promo.code;
    const was = this.#terms;
    await this.refresh();
    if (error.code === 'price_changed' && error.details.currency === was.currency) this.#reprice({ ...was, ...error.details });
    else if (error.code === 'promotion_refused' && code !== null) {
      this.promo.refuse(error.said || error.message);
      await this.#chose(0);
    } else this.#say(error.code === 'promotion_refused' ? `${error.message} These are the prices now.` : error.message);
  }

  #reprice({ pack, coins, amount_minor, bonus_coins, currency, exponent }) {
    this.#asked += 1; // what refresh asks is older than what the order was told
    clearTimeout(this.#timer);
    this.#terms = { pack, coins, amount_minor, bonus_coins, currency, exponent };
    this.#say(`The price has changed. Nothing was charged. ${counted(coins + bonus_coins, 'coin')} cost ${price(this.#terms)} now: press again to buy at this price.`);
    this.#label();
  }

  #rest() {
    this.#busy = false;
    this.#label();
  }

  #say(text) {
    this.problem.hidden = text === '';
    this.problem.textContent = text;
  }

  /** So many of the coins pay what is owed; the rest can be spent. */
  #owe(coins) {
    this.debt.hidden = coins === 0;
    this.debt.textContent = coins === 0 ? '' : `${count(coins)} of these coins ${coins === 1 ? 'pays' : 'pay'} what you owe.`;
  }

  /** What limits leave, where that is less than what is chosen, or than most people buy. */
  #tellLeft() {
    const left = this.#answer?.left_coins ?? Infinity;
    this.left.hidden = this.#barred || left >= Math.max(this.packs.modest, this.#terms?.coins ?? 0);
    this.left.textContent = left === 0 ? 'Your limits leave nothing to buy for now.' : `You can buy ${counted(left, 'coin')} at most for now.`;
  }

  /** The sum above the button, and what the button says. */
  #label() {
    const terms = this.#terms;
    const undecided = this.#answer !== null && this.packs.choice === null;
    const waiting = this.#busy || (terms === null && !this.#stuck && !undecided);
    this.button.setAttribute('aria-disabled', String(waiting || this.#barred));
    this.#tellLeft();
    if (this.#barred) this.button.textContent = 'Your wallet is on hold';
    else if (this.#busy) this.button.textContent = 'Opening the payment page…';
    else if (terms !== null) this.button.textContent = `Pay ${price(terms)}`;
    else if (this.#stuck) this.button.textContent = 'Ask for the price again';
    else this.button.textContent = undecided ? 'Choose how many coins' : 'Asking for the price…';
    this.#owe(terms === null ? 0 : Math.min(this.#answer.owed_coins ?? 0, terms.coins + terms.bonus_coins));
    if (terms === null) return fill(this.sum);
    const parts = terms.bonus_coins > 0 ? `${count(terms.coins)} + ${count(terms.bonus_coins)} bonus · ` : '';
    fill(this.sum, 'You get ', element('span.coins', {}, counted(terms.coins + terms.bonus_coins, 'coin')), ' ', element('span.small.secondary', {}, `${parts}${perHundred(terms)}`));
  }
}
