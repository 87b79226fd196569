import { Session } from '../session.js';
import { showGate, showRefusal } from '../ui/gate.js';
import { mountIdentity } from '../ui/identity.js';
import { wireTabs } from '../ui/tabs.js';
import { PaymentPanel } from './payment_panel.js';
import { Payments } from './payments.js';
import { Prices } from './prices.js';

const OPERATOR = 'admin';

const byId = (id) => document.getElementById(id);
const root = document.documentElement;

const session = await new Session().load();
const payments = new Payments({ session, opened: openPayment, refused: refuse });
const panel = new PaymentPanel({ session, changed: (payment) => payments.update(payment), closed: () => address({ payment: null }) });
const prices = new Prices({ session, refused: refuse });

mountIdentity(byId('identity'), session);
const selectTab = wireTabs(document.querySelector('.ops__head [role="tablist"]'), (tab) => {
  const shown = tab.id === 'tab-prices';
  address({ hash: shown ? '#prices' : '' });
  if (shown) prices.open();
});
session.addEventListener('change', open);
open();

/** Show the page to an operator, to others the way in. Called again whenever the person changes. */
function open() {
  panel.close();
  payments.close();
  prices.close();
  byId('gate').hidden = true;
  const isOperator = session.me?.role === OPERATOR;
  byId('ops').hidden = !isOperator;
  if (!isOperator) return gate();
  root.dataset.state = 'ready';
  payments.open();
  if (location.hash === '#prices') selectTab(byId('tab-prices'));
  const asked = new URLSearchParams(location.search).get('payment');
  if (asked) panel.open(asked);
}

function gate() {
  const { me } = session;
  root.dataset.state = me === null ? 'signed-out' : 'not-an-operator';
  const text =
    me === null
      ? 'Payments and prices are for who runs this server. Be an operator to see them.'
      : `${me.name} does not run this server. Be an operator to see payments and prices.`;
  showGate(byId('gate'), { session, title: 'This page is for operators', text, role: OPERATOR });
}

/** The server does not let this person in, whatever the token says. */
function refuse(error) {
  if (error.code === 'unauthorized') return session.use(null);
  panel.close();
  root.dataset.state = 'refused';
  byId('ops').hidden = true;
  showRefusal(byId('gate'), { title: 'This page did not open', text: error.message, again: open });
}

function openPayment(id) {
  panel.open(id);
  address({ payment: id });
}

/** The address says what is open, so that it can be opened again or sent to a colleague. */
function address({ payment, hash = location.hash }) {
  const next = new URL(location.href);
  if (payment === null) next.searchParams.delete('payment');
  else if (payment !== undefined) next.searchParams.set('payment', payment);
  next.hash = hash;
  if (next.href !== location.href) history.replaceState(history.state, '', next);
}
