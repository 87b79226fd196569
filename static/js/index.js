import { Session } from './session.js';
import { avatar, element, fill } from './ui/element.js';
import { mountIdentity } from './ui/identity.js';
import { compact, counted } from './ui/numbers.js';
import { hueOf } from './ui/person.js';

const EVERY_MS = 15_000;
const byId = (id) => document.getElementById(id);
const root = document.documentElement;

let timer = 0;

fill(byId('live'), ...Array.from({ length: 3 }, () => element('li.skeleton.rooms__skeleton')));
const session = await new Session().load();
mountIdentity(byId('identity'), session);
document.addEventListener('visibilitychange', () => document.hidden || look());
look();

/** Ask who is live, and again in a while as long as somebody is looking. */
async function look() {
  clearTimeout(timer);
  try {
    draw((await session.get('/v1/rooms')).rooms);
  } catch (error) {
    excuse(error);
  }
  if (!document.hidden) timer = setTimeout(look, EVERY_MS);
}

function draw(rooms) {
  const live = rooms.filter((room) => room.status === 'live').sort((one, other) => other.viewers - one.viewers);
  const offline = rooms.filter((room) => room.status !== 'live');
  keepFocus(() => {
    fill(byId('live'), ...live.map(card));
    fill(byId('offline'), ...offline.map(line));
  });
  byId('live').removeAttribute('aria-busy');
  byId('resting').hidden = offline.length === 0;
  say(live.length > 0 ? counted(live.length, 'stream') : 'Nobody is live right now. This page notices when someone starts.');
  root.dataset.state = 'ready';
}

function excuse(error) {
  const again = element('button.button.button--quiet', { type: 'button' }, 'Look again');
  again.addEventListener('click', look);
  if (root.dataset.state === 'loading') fill(byId('live'));
  byId('live').removeAttribute('aria-busy');
  fill(byId('rooms-words'), `${error.message} `, again);
  root.dataset.state = 'refused';
}

function card(room) {
  const link = element(
    'a.room',
    { href: `/rooms/${encodeURIComponent(room.id)}`, data: { room: room.id } },
    element('span.room__light', { 'aria-hidden': 'true' }),
    element('span.room__top', {}, element('span.pill.pill--live', {}, 'Live'), element('span.room__viewers.small', {}, compact(room.viewers), element('span', {}, ' watching'))),
    element('span.room__title', {}, room.title),
    element('span.room__creator', {}, avatar(room.creator.id, room.creator.name), room.creator.name),
  );
  link.style.setProperty('--hue', String(hueOf(room.creator.id)));
  return element('li', {}, link);
}

function line(room) {
  const link = element(
    'a.rest',
    { href: `/rooms/${encodeURIComponent(room.id)}`, data: { room: room.id } },
    avatar(room.creator.id, room.creator.name),
    element('span.rest__title', {}, room.title),
    element('span.small.secondary', {}, room.creator.name),
  );
  return element('li', {}, link);
}

function keepFocus(change) {
  const room = document.activeElement?.dataset?.room;
  change();
  if (room) document.querySelector(`[data-room="${CSS.escape(room)}"]`)?.focus({ preventScroll: true });
}

function say(words) {
  if (byId('rooms-words').textContent !== words) fill(byId('rooms-words'), words);
}
