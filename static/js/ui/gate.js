import { element, fill } from './element.js';
import { peopleList } from './identity.js';

/**
 * What stands in place of a page that is not for this visitor yet: why, and the way in.
 *
 * @param {HTMLElement} host
 * @param {{session: Session, title: string, text: string, role?: string, extra?: Node[]}} reason `role` narrows the
 *   people offered in the demo; outside the demo `text` is followed by how a sign-in happens
 */
export function showGate(host, { session, title, text, role, extra = [] }) {
  const people = (session.people ?? []).filter((person) => !role || person.role === role);
  const outside = 'You sign in on the site that brought you here; open this page from there again.';
  fill(
    host,
    element('img.gate__art', { src: '/static/gifts/lantern-fly.svg', alt: '', width: '72', height: '72' }),
    element('h1', { id: 'gate-title' }, title),
    element('p.secondary', {}, session.isDemo ? text : `${text} ${outside}`),
    people.length > 0 && peopleList(session, people),
    ...extra,
  );
  host.hidden = false;
}

/** A page that could not be loaded: the sentence, and a button that tries again. */
export function showRefusal(host, { title, text, label = 'Try again', again }) {
  const button = element('button.button.button--primary', { type: 'button' }, label);
  button.addEventListener('click', again);
  fill(
    host,
    element('h1', { id: 'gate-title' }, title),
    element('p.secondary', { role: 'alert' }, text),
    element('p.gate__actions', {}, button, element('a.button', { href: '/' }, 'See who is live')),
  );
  host.hidden = false;
}
