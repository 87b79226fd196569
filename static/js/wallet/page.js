import { Session } from '../session.js';
import { CoinPrice } from '../ui/coin_price.js';
import { GiftNames } from '../ui/gift_names.js';
import { showGate } from '../ui/gate.js';
import { mountIdentity } from '../ui/identity.js';
import { Balance } from './balance.js';
import { Limits } from './limits.js';
import { OrderPanel } from './order_panel.js';
import { isOpen } from './order_words.js';
import { Orders } from './orders.js';
import { Reports } from './reports.js';
import { Statement } from './statement.js';
import { Store } from './store.js';
import { TopUp } from './topup.js';

const RETURNED = ['payment', 'sandbox_session'];

const byId = (id) => document.getElementById(id);
const root = document.documentElement;

const session = await new Session().load();
const names = new GiftNames();
const money = new CoinPrice(session);
const reports = new Reports({ session });
const statement = new Statement({ session, names, state: setState, reported });
const balance = new Balance({ session, changed: () => statement.refresh(), held: (wallet) => store.held(wallet), refused: setState });
const topUp = new TopUp({ session, added: () => balance.expect() });
const store = new Store({ session, ordered: (payment) => panel.open(payment.id, payment), again: openStore, guardian: () => limits.revealGuardian() });
const orders = new Orders({ session, opened: (payment) => panel.open(payment.id, payment) });
const limits = new Limits({ session, balance, changed: () => store.refresh() });
const panel = new OrderPanel({ session, balance, changed: orderChanged, again: (payment) => store.choose(payment), closed: forgetReturn, reported });

balance.follow((coins) => money.show(byId('balance-money'), coins));
mountIdentity(byId('identity'), session);
session.addEventListener('change', open);
// Who comes back by the back button finds the page as they left it: with an order that has gone on since.
window.addEventListener('pageshow', (event) => {
  if (event.persisted && session.me !== null) openStore();
});
open();

/** Show the wallet of whoever is signed in, or the way in. Called again whenever that person changes. */
async function open() {
  balance.stop();
  panel.close();
  limits.close();
  reports.hide();
  const signedIn = session.me !== null;
  byId('gate').hidden = signedIn;
  byId('wallet').hidden = !signedIn;
  if (!signedIn) {
    showGate(byId('gate'), {
      session,
      title: 'Your wallet is one step away',
      text: 'Coins, receipts and history belong to a person. Pick who you are to see them.',
    });
    setState('signed-out');
    return;
  }
  setState('checking');
  money.forget(byId('balance-money'));
  balance.start();
  money.refresh({ now: true });
  reports.open();
  const drawn = Promise.all([openStore(), limits.open()]);
  if (location.hash === '#limits') drawn.then(() => limits.reveal());
  const returned = new URLSearchParams(location.search).get('payment');
  if (returned) panel.open(returned);
  if (names.catalog.version === 0) await names.load(session).catch(() => {});
  await statement.open();
}

/** What is on sale, then what was ordered. Until the first is known the free coins of a demo stand back. */
async function openStore() {
  const me = session.me;
  topUp.open({ isDemo: session.isDemo, sold: true });
  orders.hide();
  const sold = await store.open();
  if (session.me !== me) return;
  topUp.open({ isDemo: session.isDemo && !store.young, sold: sold !== false });
  orders.open(sold === true);
}

/** The row of an order follows; an order that ended gives prices back that it held, or takes them. */
function orderChanged(payment) {
  orders.update(payment);
  if (!isOpen(payment)) store.refresh();
}

/** A report was made: it stands with the others, and it may have put the wallet on hold. */
function reported() {
  reports.open();
  balance.check();
}

/** The order was looked at: a reload does not open it again. */
function forgetReturn() {
  const address = new URL(location.href);
  RETURNED.forEach((name) => address.searchParams.delete(name));
  if (address.href !== location.href) history.replaceState(history.state, '', address);
}

function setState(state) {
  root.dataset.state = state;
}
