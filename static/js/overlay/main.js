/** The overlay page: a gift layer on nothing, fed by the room, for as long as the streaming program runs. */

import { GiftClient } from '../giftclient.js';
import { GiftLayer } from '../gifts/layer.js';
import { Session } from '../session.js';
import { loadCatalog } from '../viewer/catalog.js';
import { readOptions } from './options.js';
import { Shown } from './shown.js';

const AGAIN_MS = 15_000;
const FIRST_AGAIN_MS = 500;

const options = readOptions();
const root = document.documentElement;
const host = document.querySelector('#layer');
const nothingKept = { getItem: () => null, setItem() {}, removeItem() {} };
const session = new Session(nothingKept);
let client = null;
let layer = null;
let shown = null;
let problem = null;
let unused = null;

root.dataset.theme = options.theme;
host.style.width = host.style.height = `${100 / options.scale}%`;
host.style.transform = options.scale === 1 ? '' : `scale(${options.scale})`;

async function start() {
  const catalog = await loadCatalog(session, (error) => {
    problem = error;
    root.dataset.state = 'waiting';
  });
  problem = null;
  layer = new GiftLayer(host, {
    catalog: catalog.body, mode: 'overlay', meId: null, lanes: options.lanes, minCoins: 0, quality: options.quality,
    volume: options.volume, muted: options.volume === 0, reducedMotion: null, hideEffects: false, language: options.language,
  });
  if (options.setup) {
    const { openSetup } = await import('./setup.js');
    openSetup({ client: () => client, shown: () => shown, problem: () => problem, layer, catalog, options, test: showTest });
  }
  options.room = await askRoom();
  shown = new Shown(options.room);
  client = new GiftClient({ room: options.room, getTicket: ticket, position: shown.position, storage: null });
  shown.follow(client);
  layer.addEventListener('rendered', ({ detail }) => shown.rendered(detail.offsets));
  follow(catalog);
  client.connect();
}

function follow(catalog) {
  const on = (type, run) => client.addEventListener(type, ({ detail }) => run(detail));
  on('state', ({ state, code }) => {
    if (state === 'open' || state === 'waiting') root.dataset.state = state;
    if (state !== 'closed' || code === 1000) return;
    // A streaming source has nobody to press reload: even a final close is tried again, slowly.
    root.dataset.state = 'waiting';
    setTimeout(() => client.connect(), AGAIN_MS);
  });
  on('welcome', ({ epoch }) => layer.set({ epoch }));
  on('gift', (push) => {
    const each = catalog.get(push.gift)?.coins ?? 0;
    if (Math.max(push.coins, each * push.combo_quantity) < options.minCoins) {
      shown.rendered([push.offset]); // left out by the creator's own choice: not owed any more
      return;
    }
    shown.received(push.offset);
    layer.show(push);
  });
  on('combo_ended', (ended) => layer.endCombo(ended));
  on('gifts_folded', (folded) => layer.fold(folded));
  on('test_gift', showTest);
}

/** A test gift looks like any other; it has no offset, so nothing is reported as shown for it. */
function showTest({ gift, sender, quantity, coins }) {
  layer.show({ offset: null, transfer: null, sender, gift, quantity, coins, diamonds: 0, combo: null, combo_quantity: quantity, at_ms: Date.now() });
}

/** What opens the room of this link: {ticket, room}. A refusal is kept for the setup mode. */
async function entry() {
  try {
    const answer = await session.post('/v1/tickets', { overlay: options.token });
    problem = null;
    return answer;
  } catch (error) {
    problem = error;
    throw error;
  }
}

/** A ticket for one connection, the first time the one that came with the room; the client tries again for ever. */
async function ticket() {
  const first = unused;
  unused = null;
  return first ?? (await entry()).ticket;
}

/** The room this link is for, as the server says; asked until it does. */
async function askRoom() {
  for (let wait_ms = FIRST_AGAIN_MS; ; wait_ms = Math.min(wait_ms * 2, AGAIN_MS)) {
    const answer = await entry().catch(() => null);
    if (answer !== null) {
      unused = answer.ticket;
      return answer.room;
    }
    root.dataset.state = 'waiting';
    await new Promise((again) => setTimeout(again, wait_ms * (0.5 + Math.random() / 2)));
  }
}

globalThis.giftserver = {
  get client() { return client; },
  get layer() { return layer; },
  get totals() { return client?.totals ?? { quantity: 0, coins: 0 }; },
  get shown() { return shown?.count ?? 0; },
  options,
};

start().catch((error) => {
  console.error('The overlay stopped and starts again.', error);
  setTimeout(() => location.reload(), AGAIN_MS);
});
