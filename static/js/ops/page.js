import { Session } from '../session.js';
import { showGate, showRefusal } from '../ui/gate.js';
import { mountIdentity } from '../ui/identity.js';
import { wireTabs } from '../ui/tabs.js';
import { Adjustments } from './adjustments.js';
import { Audit } from './audit.js';
import { Balances } from './balances.js';
import { CasePanel } from './case_panel.js';
import { Cases } from './cases.js';
import { Disputes } from './disputes.js';
import { PaymentPanel } from './payment_panel.js';
import { Payments } from './payments.js';
import { PayoutPanel } from './payout_panel.js';
import { Payouts } from './payouts.js';
import { Prices } from './prices.js';

const OPERATOR = 'admin';

const byId = (id) => document.getElementById(id);
const root = document.documentElement;

const session = await new Session().load();
const payments = new Payments({ session, opened: openPayment, refused: refuse });
const panel = new PaymentPanel({ session, changed: (payment) => payments.update(payment), closed: () => address({ payment: null }) });
const prices = new Prices({ session, refused: refuse });

const cases = new Cases({ session, opened: openCase, refused: refuse });
const casePanel = new CasePanel({ session, changed: () => cases.open(), closed: () => address({ case: null }) });
const adjustments = new Adjustments({ session, refused: refuse });
const audit = new Audit({ session, refused: refuse });
const disputes = new Disputes({ session, opened: openPayment, refused: refuse });
const payouts = new Payouts({ session, opened: openPayout, refused: refuse });
const payoutPanel = new PayoutPanel({ session, changed: () => payouts.open(), closed: () => address({ payout: null }) });
const balances = new Balances({ session, opened: openPayment, openedPayout: openPayout, refused: refuse });
/** Address after the # → what a tab opens; payments are there from the start. */
const parts = { '#disputes': disputes, '#payouts': payouts, '#balances': balances, '#prices': prices, '#cases': cases, '#adjustments': adjustments, '#audit': audit };

mountIdentity(byId('identity'), session);
const selectTab = wireTabs(document.querySelector('.ops__head [role="tablist"]'), (tab) => {
  const hash = tab.id.replace('tab-', '#');
  address({ hash: hash in parts ? hash : '' });
  parts[hash]?.open();
  bringIntoView(tab);
});
session.addEventListener('change', open);
open();

/** Show the page to an operator, to others the way in. Called again whenever the person changes. */
function open() {
  closePanels();
  payments.close();
  for (const part of Object.values(parts)) part.close();
  byId('gate').hidden = true;
  const isOperator = session.me?.role === OPERATOR;
  byId('ops').hidden = !isOperator;
  if (!isOperator) return gate();
  root.dataset.state = 'ready';
  payments.open();
  if (location.hash in parts) selectTab(byId(location.hash.replace('#', 'tab-')));
  const asked = new URLSearchParams(location.search);
  if (asked.get('payment')) panel.open(asked.get('payment'));
  else if (asked.get('case')) casePanel.open(asked.get('case'));
  else if (asked.get('payout')) payoutPanel.open(asked.get('payout'));
}

function closePanels() {
  for (const one of [panel, casePanel, payoutPanel]) one.close();
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
  closePanels();
  root.dataset.state = 'refused';
  byId('ops').hidden = true;
  showRefusal(byId('gate'), { title: 'This page did not open', text: error.message, again: open });
}

/** Scroll the tabs to a tab that is outside of them. scrollIntoView would have the Tab key begin there, too. */
function bringIntoView(tab) {
  const list = tab.parentElement;
  const [one, all] = [tab.getBoundingClientRect(), list.getBoundingClientRect()];
  list.scrollLeft += Math.min(0, one.left - all.left) + Math.max(0, one.right - all.right);
}

function openPayment(id) {
  panel.open(id);
  address({ payment: id });
}

function openPayout(id) {
  payoutPanel.open(id);
  address({ payout: id });
}

function openCase(id) {
  casePanel.open(id);
  address({ case: id });
}

/** The address says what is open, so that it can be opened again or sent to a colleague. */
function address({ hash = location.hash, ...opened }) {
  const next = new URL(location.href);
  for (const [what, id] of Object.entries(opened)) {
    if (id === null) next.searchParams.delete(what);
    else next.searchParams.set(what, id);
  }
  next.hash = hash;
  if (next.href !== location.href) history.replaceState(history.state, '', next);
}
