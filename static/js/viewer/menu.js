/** Sound, effects, and (in the demo) who one is. Choices are kept in this browser. */

import { avatar, element } from './find.js';
import { openSheet } from './sheet.js';

const KEY = 'giftserver.viewer';

/** {muted, hideEffects} as kept. */
export function keptChoices() {
  try {
    return { muted: false, hideEffects: false, ...JSON.parse(localStorage.getItem(KEY) ?? '{}') };
  } catch {
    return { muted: false, hideEffects: false };
  }
}

function keep(choices) {
  try {
    localStorage.setItem(KEY, JSON.stringify(choices));
  } catch {
    // Lasts for this visit where storage is forbidden.
  }
}

export function openMenu({ session, choices, onChoice, notices }) {
  const rows = [
    toggle('Gift sounds', !choices.muted, 'sounds', (on) => change({ muted: !on })),
    toggle('Gift effects', !choices.hideEffects, 'effects', (on) => change({ hideEffects: !on })),
  ];
  const change = (news) => {
    Object.assign(choices, news);
    keep(choices);
    onChoice(choices);
  };
  const people = session.isDemo ? [element('h3.menu__heading', {}, 'Who are you?'), peopleList(session, notices, () => sheet.close())] : [];
  const sheet = openSheet(session.isDemo ? 'This stream and you' : 'This stream', [...rows, ...people], { className: 'menu' });
}

/** Demo only: choose who to be. */
export function openPeople({ session, notices }) {
  const words = element('p.secondary.small', {}, 'This is a demonstration without passwords: pick anybody. Another tab can be somebody else.');
  const sheet = openSheet('Who are you?', [words, peopleList(session, notices, () => sheet.close())], { className: 'menu' });
}

function peopleList(session, notices, done) {
  const rows = session.people.map((person) => {
    const about = person.role === 'creator' ? `Creator of ${person.room}` : { viewer: 'Viewer', admin: 'Operator' }[person.role] ?? person.role;
    const button = element(
      'button.person-row', { type: 'button', 'aria-pressed': String(session.me?.id === person.id), data: { person: person.id } },
      avatar(person.id, person.name), element('span.person-row__name', {}, person.name), element('span.secondary.tiny', {}, about),
    );
    button.addEventListener('click', () => become(session, person.id, notices, done));
    return element('li', {}, button);
  });
  const leave = element('button.person-row', { type: 'button', 'aria-pressed': String(session.me === null) }, element('span.avatar', { 'aria-hidden': 'true' }, '–'), element('span.person-row__name', {}, 'Nobody'), element('span.secondary.tiny', {}, 'Watch only'));
  leave.addEventListener('click', () => become(session, null, notices, done));
  return element('ul.people-list', {}, ...rows, element('li', {}, leave));
}

async function become(session, id, notices, done) {
  try {
    await session.become(id);
    done();
  } catch (error) {
    notices.say('signin', error.message, [{ label: 'Try again', run: () => become(session, id, notices, done) }]);
  }
}

function toggle(label, on, name, change) {
  const button = element('button.toggle', { type: 'button', role: 'switch', 'aria-checked': String(on), data: { toggle: name } }, element('span', {}, label), element('span.toggle__track', { 'aria-hidden': 'true' }));
  button.addEventListener('click', () => {
    const next = button.getAttribute('aria-checked') !== 'true';
    button.setAttribute('aria-checked', String(next));
    change(next);
  });
  return button;
}
