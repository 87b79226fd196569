import { Session } from '../session.js';
import { fill } from '../ui/element.js';
import { showGate, showRefusal } from '../ui/gate.js';
import { mountIdentity } from '../ui/identity.js';
import { toast } from '../ui/toast.js';
import { EnterCode } from './enter.js';
import { Ward } from './ward.js';

const EVERY_MS = 15_000;
const NOBODY = 'Nobody yet. Somebody who wants to be looked after makes a code in their wallet, below Limits, and gives it to you.';

const byId = (id) => document.getElementById(id);
const root = document.documentElement;

const session = await new Session().load();
const enter = new EnterCode({ session, linked });
let wards = new Map();
let opened = 0;
let timer = 0;

mountIdentity(byId('identity'), session);
session.addEventListener('change', open);
document.addEventListener('visibilitychange', () => document.hidden || look());
open();

/** Show the page to whoever is signed in, or the way in. Called again whenever that person changes. */
async function open() {
  opened += 1;
  const mine = opened;
  clearTimeout(timer);
  wards = new Map();
  enter.clear();
  byId('gate').hidden = true;
  byId('guardian').hidden = true;
  if (session.me === null) {
    const text = 'Looking after somebody is for a person who is signed in. Pick who you are.';
    showGate(byId('gate'), { session, title: 'Look after somebody', text });
    root.dataset.state = 'signed-out';
    return;
  }
  root.dataset.state = 'loading';
  try {
    const answer = await session.get('/v1/guardian/wards');
    if (mine !== opened) return;
    byId('guardian').hidden = false;
    draw(answer.wards);
    root.dataset.state = 'ready';
    look();
  } catch (error) {
    if (mine === opened) refuse(error);
  }
}

function refuse(error) {
  if (error.code === 'unauthorized') return session.use(null);
  root.dataset.state = 'refused';
  showRefusal(byId('gate'), { title: 'This page did not open', text: error.message, again: open });
}

/** One card a person, in the order they were linked; who has one keeps it. */
function draw(found) {
  wards = new Map(found.map((ward) => [ward.user, wards.get(ward.user) ?? new Ward({ session, ward, ended, left: () => left(ward) })]));
  fill(byId('wards'), ...[...wards.values()].map(({ node }) => node));
  byId('wards-words').textContent = wards.size === 0 ? NOBODY : '';
}

function linked(ward) {
  draw([...[...wards.values()].map((one) => one.ward), ward]);
  wards.get(ward.user).refresh();
  wards.get(ward.user).focus();
  toast(`You look after ${ward.name} now.`, { tone: 'good' });
}

function ended(others) {
  draw(others);
  byId('main').focus();
}

/** They ended it. */
function left(ward) {
  draw([...wards.values()].map((one) => one.ward).filter((one) => one.user !== ward.user));
  toast(`${ward.name} is not looked after by you any more.`);
}

/** What everybody sent and bought, and again in a while as long as somebody is looking. */
async function look() {
  const mine = opened;
  clearTimeout(timer);
  await Promise.all([...wards.values()].map((ward) => ward.refresh()));
  if (mine === opened && !document.hidden) timer = setTimeout(look, EVERY_MS);
}
