/** The viewer's coins and receipts, and the way to more coins. */

import { uuid7 } from '../giftclient/keys.js';
import { RollingNumber } from '../roll.js';
import { element, written } from './find.js';
import { openSheet } from './sheet.js';

const DEMO_COINS = 1_000;

/** Open it. `notices` hears about a top-up that failed. */
export function openWallet({ session, client, receipts, notices, money }) {
  const number = element('span.wallet-sheet__coins');
  const rolling = new RollingNumber(number);
  const worth = element('span.in-money');
  const show = () => {
    const coins = Math.max(0, client().balance.shown_coins ?? 0);
    rolling.set(coins);
    money.show(worth, coins);
  };
  const { host, stop } = receipts.list();
  const links = session.isDemo ? [topUpButton(session, notices)] : [];
  links.push(element(session.isDemo ? 'a.button.button--quiet' : 'a.button.button--gold', { href: '/wallet' }, session.isDemo ? 'Open my wallet' : 'Get coins'));
  const following = client();
  following.addEventListener('balance', show);
  openSheet('Your coins', [
    element('p.wallet-sheet__balance', {}, element('span.coin-mark', { 'aria-hidden': 'true' }), number, element('span.visually-hidden', {}, ' coins'), worth),
    element('div.notice__actions', {}, ...links),
    element('h3.wallet-sheet__heading', {}, 'Sent just now'),
    host,
  ], {
    className: 'wallet-sheet',
    onClose: () => {
      stop();
      following.removeEventListener('balance', show);
    },
  });
  show();
}

/** Demo only: 1,000 coins more. One `key` for a press and every further try of it: coins are added once. */
export async function topUp(session, notices, key = uuid7(Date.now())) {
  try {
    await session.post('/demo/topup', { coins: DEMO_COINS, key });
    notices.say('topup', `${written(DEMO_COINS)} coins are yours.`, [], { forMs: 3_000, tone: 'good' });
    return true;
  } catch (error) {
    notices.say('topup', `No coins arrived. ${error.message}`, [{ label: 'Try again', run: () => topUp(session, notices, key) }]);
    return false;
  }
}

function topUpButton(session, notices) {
  const button = element('button.button.button--gold', { type: 'button' }, `Get ${written(DEMO_COINS)} coins`);
  button.addEventListener('click', async () => {
    button.disabled = true;
    await topUp(session, notices);
    button.disabled = false;
  });
  return button;
}
