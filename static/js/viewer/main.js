/** The viewer page: puts its parts together and keeps them told. */

import { GiftClient } from '../giftclient.js';
import { RollingNumber } from '../roll.js';
import { Session } from '../session.js';
import { CoinPrice } from '../ui/coin_price.js';
import { Budget } from './budget.js';
import { loadCatalog } from './catalog.js';
import { Feed } from './feed.js';
import { find, written } from './find.js';
import { LayerHost } from './layer_host.js';
import { keptChoices, openMenu, openPeople } from './menu.js';
import { Notices } from './notices.js';
import { GiftPanel } from './panel.js';
import { QuickGifts } from './quick.js';
import { Receipts } from './receipts.js';
import { ComboRing } from './ring.js';
import { RoomView } from './room_view.js';
import { Sending } from './sending.js';
import { openWallet, topUp } from './wallet_sheet.js';

const roomId = decodeURIComponent(location.pathname.split('/')[2] ?? '');
const session = new Session();
const notices = new Notices();
const choices = keptChoices();
const money = new CoinPrice(session);
const view = new RoomView(roomId, notices);
const budget = new Budget(session);
const coins = [find('.wallet__coins'), find('.panel__coins')].map((host) => new RollingNumber(host, short));
const balances = [find('.wallet__money'), find('.panel__money')];
let client = null;
let parts = null;

async function start() {
  const catalogLoaded = loadCatalog(session, (error) => notices.say('catalog', error.message));
  await session.load();
  const wanted = new URLSearchParams(location.search).get('as');
  if (session.isDemo && wanted !== null && session.me?.id !== wanted) await session.become(wanted).catch(() => {});
  const catalog = await catalogLoaded;
  notices.clear('catalog');
  parts = assemble(catalog);
  session.addEventListener('change', () => connect());
  connect();
}

function assemble(catalog) {
  const layer = new LayerHost(find('#layer'), { catalog: catalog.body, language: catalog.language, ...choices });
  const panel = new GiftPanel(catalog, money, budget);
  const ring = new ComboRing({ onTap: (run) => sending.tap(run.gift, run.quantity), onChange: place });
  const quick = new QuickGifts(catalog, money, budget, (gift, bar) => (bar === null ? sending.tap(gift, 1) : sending.barred(gift, bar)));
  const receipts = new Receipts(catalog);
  const feed = new Feed(catalog);
  const sending = new Sending({
    client: () => client, catalog: () => parts.catalog, room: () => view.room, notices, ring, money,
    onSent: (gift) => sent(gift), acts: waysOut(), wallet: () => session.get('/v1/wallet'),
  });
  panel.addEventListener('send', ({ detail }) => sending.tap(detail.gift, detail.quantity));
  panel.addEventListener('locked', ({ detail }) => {
    if (detail.bar !== null) sending.barred(detail.gift, detail.bar);
    else notices.say('refusal', `${parts.catalog.name(detail.gift)} is not open to you yet. ${detail.why}.`, [], { forMs: 4_000 });
  });
  panel.addEventListener('quantity', () => ring.stop());
  panel.addEventListener('choose', ({ detail }) => detail.gift.id !== ring.run?.gift.id && ring.stop());
  panel.addEventListener('toggle', place);
  for (const event of ['toggle', 'choose']) panel.addEventListener(event, () => money.refresh());
  panel.addEventListener('toggle', () => panel.element.open && budget.opened());
  for (const opener of [find('.wallet'), find('.panel__balance')]) opener.addEventListener('click', openCoins);
  find('.open-panel').addEventListener('click', () => panel.open());
  find('.menu-button').addEventListener('click', () => openMenu({ session, choices, notices, onChoice: (chosen) => layer.set(chosen) }));
  find('.invite__button').addEventListener('click', () => openPeople({ session, notices }));
  return { catalog, layer, panel, ring, quick, receipts, feed, sending };
}

/** A gift that takes the stage is sent to be seen: the sheet makes room for it. */
function sent(gift) {
  parts.quick.sent(gift);
  if (!gift.combo) parts.panel.close();
}

/** The ring stands in the panel while that is open, else above the bar; notices likewise. */
function place() {
  if (parts === null) return;
  const { panel, ring } = parts;
  const open = panel.docked || panel.modal;
  const same = ring.run !== null && panel.chosen?.id === ring.run.gift.id;
  ring.move(open && same ? 'panel' : 'floating');
  panel.ringing = open && same;
  notices.within(panel.modal ? panel.element : find('.viewer'));
}

/** What each way out of a refusal does. */
function waysOut() {
  return {
    labels: session.isDemo ? { topup: 'Get 1,000 coins', signin: 'Choose who you are' } : {},
    topup: () => (session.isDemo ? topUp(session, notices) : location.assign('/wallet')),
    limits: () => location.assign('/wallet#limits'),
    wallet: () => location.assign('/wallet'),
    rooms: () => location.assign('/'),
    panel: () => parts.panel.open(),
    catalog: async (gift) => {
      parts.catalog = await loadCatalog(session);
      parts.panel.catalog = parts.catalog;
      parts.quick.catalog = parts.catalog;
      parts.panel.open(gift.id);
    },
    resend: (gift, quantity) => parts.sending.tap(gift, quantity),
    reload: () => location.reload(),
    signin: () => (session.isDemo ? openPeople({ session, notices }) : invite()),
  };
}

function openCoins() {
  openWallet({ session, client: () => client, receipts: parts.receipts, notices, money });
}

/** A new connection as whoever is signed in now. */
function connect() {
  client?.close();
  parts.ring.stop();
  notices.clear('refusal');
  money.refresh({ now: true });
  budget.forget();
  budget.opened(); // gifts one tap away show what is left before any panel is opened
  client = new GiftClient({
    room: roomId,
    getTicket: ticket,
    fetchOutcome: (key) => session.get(`/v1/gifts/${key}`).catch((error) => {
      if (error.status === 404) return null;
      throw error;
    }),
  });
  parts.receipts.follow(client);
  parts.feed.me = session.me?.id ?? null;
  parts.layer.set({ meId: session.me?.id ?? null });
  follow(client);
  invite();
  client.connect();
}

async function ticket() {
  try {
    return await session.getTicket();
  } catch (error) {
    if (error.code !== 'unauthorized') throw error;
    session.use(null); // this connection goes on as a guest
    notices.say('signin', error.message, session.isDemo ? [{ label: 'Choose who you are', run: () => openPeople({ session, notices }) }] : []);
    return null;
  }
}

function follow(one) {
  const on = (type, run) => one.addEventListener(type, ({ detail }) => one === client && run(detail));
  const { feed, layer, ring, sending } = parts;
  on('state', (detail) => view.connection(detail));
  on('state', () => sending.waiting(one.pending, one.state));
  on('welcome', (welcome) => view.welcomed(welcome, feed));
  on('snapshot', (snapshot) => view.snapshot(snapshot));
  on('gift', (push) => {
    feed.gift(push);
    layer.show(push);
    view.gift(parts.catalog.get(push.gift));
    if (push.sender.id === session.me?.id && push.combo !== null) ring.counted(push.gift, push.combo_quantity);
  });
  on('combo_ended', (ended) => {
    feed.comboEnded(ended);
    layer.endCombo(ended);
    if (ended.sender.id === session.me?.id) ring.stop(ended.gift);
  });
  on('gifts_folded', (folded) => {
    feed.folded(folded);
    layer.fold(folded);
  });
  on('room', (room) => view.changed(room));
  on('viewers', (viewers) => view.viewers(viewers));
  on('top', (top) => view.top(top));
  on('pending', ({ entries }) => sending.waiting(entries, one.state));
  on('receipt', ({ result }) => budget.sent(result.coins));
  on('refused', ({ error }) => error.code === 'limit_reached' && budget.refresh());
  on('refused', (refused) => refused.restored && sending.refusedLate(refused));
  on('refunded', ({ coins: back }) => {
    notices.say('refund', `The room had closed before your gift arrived. You get your ${back === 1 ? 'coin' : `${written(back)} coins`} back.`, [], { tone: 'good' });
  });
  on('balance', ({ shown_coins: shown }) => shown !== null && balance(Math.max(0, shown)));
}

function balance(shown) {
  for (const number of coins) number.set(shown);
  for (const node of balances) money.show(node, shown);
}

/** Who watches without an identity is told how to get one; who has one sees coins and gifts. */
function invite() {
  const guest = session.me === null;
  find('.invite').hidden = !guest;
  find('.invite__words').textContent = session.isDemo
    ? 'You are watching as a guest.'
    : 'You are watching as a guest. Sign in on the site that brought you here to send gifts.';
  find('.invite__button').hidden = !session.isDemo;
  for (const node of ['.wallet', '.quick', '.open-panel']) find(node).hidden = guest;
  find('.viewer').dataset.guest = String(guest);
  parts.panel.allowed = !guest;
}

/** Room for five digits; the exact number is one tap away. */
function short(value) {
  return value < 100_000 ? written(value) : `${Math.floor(value / 1000).toLocaleString('en-US')}K`;
}

globalThis.giftserver = {
  get client() { return client; },
  get layer() { return parts?.layer.layer ?? null; },
  get totals() { return client?.totals ?? { quantity: 0, coins: 0 }; },
  session,
  money,
};

start();
