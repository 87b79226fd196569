import { Session } from '../session.js';
import { GiftNames } from '../ui/gift_names.js';
import { showGate, showRefusal } from '../ui/gate.js';
import { mountIdentity } from '../ui/identity.js';
import { wireTabs } from '../ui/tabs.js';
import { Earnings } from './earnings.js';
import { showRoomForm } from './open_room.js';
import { Stream } from './stream.js';

const byId = (id) => document.getElementById(id);
const root = document.documentElement;
const wanted = new URLSearchParams(location.search);

const session = await new Session().load();
const names = new GiftNames();
const earnings = new Earnings(byId('panel-earnings'), session);
let stream = null;
let opened = 0;
let rooms = [];

mountIdentity(byId('identity'), session);
const selectTab = wireTabs(document.querySelector('.studio__head [role="tablist"]'), (tab) => {
  const shown = tab.id === 'tab-earnings';
  history.replaceState(null, '', shown ? '#earnings' : location.pathname + location.search);
  earnings.show(shown);
});
session.addEventListener('change', open);
byId('room-choice').addEventListener('change', (event) => openRoom(event.target.value));
if (location.hash === '#earnings') selectTab(byId('tab-earnings'));
open();

/** Show the studio of whoever is signed in, or the way in. Called again whenever that person changes. */
async function open() {
  opened += 1;
  const mine = opened;
  leave();
  if (session.me === null) {
    gate('signed-out', 'The studio is behind the stage', 'It belongs to the creator of a room. Pick who you are to enter.');
    return;
  }
  root.dataset.state = 'loading';
  try {
    const [found] = await Promise.all([ownRooms(), names.catalog.version === 0 && names.load(session)]);
    if (mine !== opened) return;
    rooms = found;
    if (rooms.length === 0) noRoom();
    else chooseRoom();
  } catch (error) {
    if (mine === opened) refuse(error, open);
  }
}

async function ownRooms() {
  const { rooms: all } = await session.get('/v1/rooms');
  return session.me.role === 'admin' ? all : all.filter(isOwn);
}

function isOwn(room) {
  return room.creator.id === session.me.id;
}

function chooseRoom() {
  const choice = byId('room-choice');
  choice.replaceChildren(...rooms.map((room) => new Option(room.title, room.id)));
  choice.hidden = rooms.length < 2;
  const asked = rooms.find((room) => room.id === wanted.get('room'));
  openRoom((asked ?? rooms[0]).id);
}

async function openRoom(room) {
  leave();
  byId('room-choice').value = room;
  const entering = new Stream({ session, names, room, refused: (error) => refuse(error, () => openRoom(room)) });
  stream = entering;
  try {
    await entering.open();
    if (stream !== entering) return;
    byId('gate').hidden = true;
    byId('studio').hidden = false;
    root.dataset.state = 'ready';
    earnings.open(room, rooms.some((one) => one.id === room && isOwn(one)));
  } catch (error) {
    if (stream === entering) refuse(error, () => openRoom(room));
  }
}

function noRoom() {
  if (session.me.role === 'viewer') {
    const text = `${session.me.name} watches and gives, and has no room. Be a creator to see a studio.`;
    gate('not-a-creator', 'The studio is for creators', text);
    return;
  }
  leave();
  root.dataset.state = 'no-room';
  showRoomForm(byId('gate'), session, open);
}

function gate(state, title, text) {
  leave();
  root.dataset.state = state;
  showGate(byId('gate'), { session, title, text, role: 'creator' });
}

function refuse(error, again) {
  leave();
  if (error.code === 'unauthorized') {
    session.use(null);
    return;
  }
  root.dataset.state = 'refused';
  showRefusal(byId('gate'), { title: 'The studio did not open', text: error.message, again });
}

globalThis.giftserver = {
  get client() { return stream?.client ?? null; },
  get totals() { return stream?.client.totals ?? { quantity: 0, coins: 0 }; },
  session,
};

function leave() {
  stream?.close();
  stream = null;
  earnings.close();
  byId('studio').hidden = true;
  byId('gate').hidden = true;
}
