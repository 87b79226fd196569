import { avatar, element, fill } from './element.js';
import { sheet } from './dialog.js';
import { toast } from './toast.js';

const ROLES = { creator: 'Creator', viewer: 'Viewer', admin: 'Operator' };

/** Who is signed in, at the edge of the top bar. In the demo it is a button that changes the person. */
export function mountIdentity(host, session) {
  const draw = () => {
    const me = session.me;
    if (!session.isDemo) {
      fill(host, me && element('span.identity', {}, avatar(me.id, me.name), element('span.identity__name', {}, me.name)));
      return;
    }
    const face = me
      ? [avatar(me.id, me.name), element('span.visually-hidden', {}, 'You are'), element('span.identity__name', {}, me.name)]
      : ['Who are you?'];
    const button = element('button.identity.identity--button', { type: 'button', title: me && 'Be someone else' }, ...face);
    button.addEventListener('click', () => choosePerson(session));
    fill(host, button);
  };
  session.addEventListener('change', draw);
  draw();
}

function choosePerson(session) {
  const list = peopleList(session, session.people, () => dialog.close());
  const words = 'This is a demonstration: there are no passwords. Pick who you want to be in this tab.';
  const dialog = sheet({ title: 'Who are you?', body: [element('p.secondary', {}, words), list] });
}

/** Buttons to become one of `people`; a refusal is said in a toast. */
export function peopleList(session, people, done = () => {}) {
  const rows = people.map((person) => {
    const mine = session.me?.id === person.id;
    const role = ROLES[person.role] ?? person.role;
    const where = person.story ?? (person.room ? `${role} · ${person.room}` : role);
    const button = element(
      'button.person',
      { type: 'button', 'aria-pressed': String(mine), data: { person: person.id } },
      avatar(person.id, person.name),
      element('span.person__name', {}, person.name),
      element('span.person__role.small.secondary', {}, where),
    );
    button.addEventListener('click', () => become(session, person, done));
    return element('li', {}, button);
  });
  return element('ul.people', {}, ...rows);
}

async function become(session, person, done) {
  try {
    await session.become(person.id);
    done();
  } catch (error) {
    toast(`You are not ${person.name} yet. ${error.message}`, {
      tone: 'bad',
      action: { label: 'Try again', run: () => become(session, person, done) },
    });
  }
}
