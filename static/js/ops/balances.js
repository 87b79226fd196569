import { element, fill } from '../ui/element.js';
import { exactTime } from '../ui/times.js';
import { amountOf } from '../ui/money.js';
import { saidOf, tidy } from './payment_words.js';

/** Last digits of a number: enough to tell one from another at a glance. */
const SHOWN = 12;
const OURS = /^(pay|out)_[0-9a-f]{32}$/;

/** The balances tab: our clearing accounts beside what each provider reports, and the payments that differ. */
export class Balances {
  #opened = 0;

  /** @param {{session: Session, opened: (payment: string) => void, openedPayout: (payout: string) => void, refused: (error: RequestError) => void}} parts */
  constructor({ session, opened, openedPayout, refused }) {
    this.session = session;
    this.opened = { pay: opened, out: openedPayout };
    this.refused = refused;
    this.day = element('input.input', { id: 'balances-day', type: 'date', max: '9999-12-31', 'aria-describedby': 'balances-words' });
    this.words = element('p.small.secondary', { id: 'balances-words', role: 'status' });
    this.found = element('div.balances__found', {});
    const form = element(
      'form.filters',
      { 'aria-label': 'Which payments are compared', novalidate: true },
      element('div.field.balances__day', {}, element('label', { for: 'balances-day' }, 'Ordered on (UTC); empty: the last 31 days'), this.day),
      element('button.button.button--quiet', { type: 'submit' }, 'Compare again'),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.open();
    });
    this.day.addEventListener('change', () => this.open());
    document.getElementById('panel-balances').append(form, this.words, this.found);
  }

  async open() {
    this.#opened += 1;
    const opened = this.#opened;
    this.words.textContent = 'Asking the providers…';
    try {
      const day = this.day.value === '' ? '' : `?day=${encodeURIComponent(this.day.value)}`;
      const answer = await this.session.get(`/v1/ops/balances${day}`);
      if (opened === this.#opened) this.#show(answer);
    } catch (error) {
      if (opened === this.#opened) this.#excuse(error);
    }
  }

  /** Whoever looked is somebody else now: nothing of it stays. */
  close() {
    this.#opened += 1;
    fill(this.found);
    this.words.textContent = '';
  }

  #show({ from_ms, until_ms, providers }) {
    const span = `Payments ordered from ${exactTime(from_ms)} until ${exactTime(until_ms)}, with all that became of them.`;
    this.words.textContent = providers.length === 0 ? 'Nothing is sold here: there is no provider to compare with.' : span;
    fill(this.found, ...providers.map((provider) => this.#provider(provider)));
  }

  #provider({ provider, agrees, problem, balances }) {
    const id = `balances-${provider}`;
    const onItsWay = balances.some((one) => one.differences.length > 0);
    const [text, tone] = problem !== null ? ['Could not be asked', 'wait'] : !agrees ? ['Differs', 'bad'] : onItsWay ? ['Agrees but for what is on its way', 'wait'] : ['Agrees', 'good'];
    return element(
      'section.prices__part',
      { 'aria-labelledby': id, data: { provider, agrees: String(agrees) } },
      element('header.prices__head', {}, element('h2', { id }, tidy(provider)), element('span.state', { data: { tone } }, text)),
      problem !== null && element('p.balance__problem.small', {}, `Only our own book is shown. ${tidy(problem)}.`),
      balances.length === 0 && element('p.small.secondary', {}, 'No money has moved.'),
      ...balances.map((balance) => this.#balance(balance, problem === null)),
    );
  }

  #balance(balance, compared) {
    const { currency, differences, more } = balance;
    return element(
      'article.claim.balance',
      { data: { currency } },
      element('h3', {}, currency),
      element('dl.burdens', {}, ...figuresOf(balance, compared).map(([title, minor, words]) => figure(title, moneyOf(minor, currency), words))),
      compared && differences.length === 0 && element('p.small', {}, 'Every payment is the same on both sides.'),
      differences.length > 0 && this.#differences(differences, currency),
      more && element('p.small.secondary', {}, 'There are more: `giftserver reconcile` lists all.'),
    );
  }

  #differences(differences, currency) {
    const head = element('tr', {}, ...['Payment', 'Our book', 'Provider', 'What differs'].map((title) => element('th', { scope: 'col' }, title)));
    const rows = differences.map((one) =>
      element(
        'tr',
        { data: { payment: one.payment } },
        element('td', {}, this.#link(one.payment)),
        element('td.balance__amount', {}, moneyOf(one.ours_minor, currency)),
        element('td.balance__amount', {}, moneyOf(one.theirs_minor, currency)),
        element('td', {}, `${tidy(one.what)}${one.on_its_way ? '; it moved just now, so it may be on its way' : ''}`),
      ),
    );
    const table = element('table.reached', {}, element('thead', {}, head), element('tbody', {}, ...rows));
    return element('div.reached__scroll.scroll', { tabindex: '0', role: 'region', 'aria-label': `Payments in ${currency} that differ` }, table);
  }

  #link(payment) {
    const kind = OURS.exec(payment)?.[1];
    if (kind === undefined) return element('code', {}, payment);
    const button = element('button.balance__payment', { type: 'button', title: payment }, element('code', {}, `…${payment.slice(-SHOWN)}`), element('span.visually-hidden', {}, kind === 'pay' ? ' Open the payment' : ' Open the payout'));
    button.addEventListener('click', () => this.opened[kind](payment));
    return button;
  }

  #excuse(error) {
    fill(this.found);
    if (error.code === 'unauthorized' || error.code === 'forbidden') return this.refused(error);
    this.words.textContent = `Nothing was compared. ${saidOf(error)}`;
  }
}

/** What is known of a currency: a title, minor units, and what it is. Only at the provider: shown when there is some. */
function figuresOf(balance, compared) {
  const ours = ['Owed to us', balance.clearing_minor, 'Our clearing account, now.'];
  if (!compared) return [ours];
  return [
    ours,
    ['Our book', balance.ours_minor, 'Of the payments compared.'],
    ['The provider', balance.theirs_minor, 'Of the same payments.'],
    ...[['Fees', balance.fees_minor], ['Payouts', balance.payouts_minor], ['Other', balance.other_minor]]
      .filter(([, minor]) => minor !== 0)
      .map(([title, minor]) => [title, minor, 'At the provider only.']),
  ];
}

function figure(title, amount, words) {
  return element('div.burden', {}, element('dt', {}, title), element('dd.burden__amount.balance__amount', {}, amount), element('dd.tiny.secondary', {}, words));
}

function moneyOf(minor, currency) {
  return minor < 0 ? `−${amountOf(-minor, currency)}` : amountOf(minor, currency);
}
