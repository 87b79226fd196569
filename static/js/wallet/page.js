import { Session } from '../session.js';
import { GiftNames } from '../ui/gift_names.js';
import { showGate } from '../ui/gate.js';
import { mountIdentity } from '../ui/identity.js';
import { Balance } from './balance.js';
import { Statement } from './statement.js';
import { TopUp } from './topup.js';

const byId = (id) => document.getElementById(id);
const root = document.documentElement;

const session = await new Session().load();
const names = new GiftNames();
const statement = new Statement({ session, names, state: setState });
const balance = new Balance({ session, changed: () => statement.refresh(), refused: setState });
const topUp = new TopUp({ session, added: () => balance.expect() });

mountIdentity(byId('identity'), session);
session.addEventListener('change', open);
open();

/** Show the wallet of whoever is signed in, or the way in. Called again whenever that person changes. */
async function open() {
  balance.stop();
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
  topUp.open(session.isDemo);
  balance.start();
  if (names.catalog.version === 0) await names.load(session).catch(() => {});
  await statement.open();
}

function setState(state) {
  root.dataset.state = state;
}
