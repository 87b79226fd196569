import { element } from './element.js';
import { icon } from './icons.js';

const AT_MOST = 3;

/**
 * Say something short at the edge of the page. It is read aloud politely, waits while it is pointed at or
 * focused, and a sentence with a button stays until it is answered or dismissed.
 *
 * @param {string} text
 * @param {{tone?: "good"|"bad"|"plain", action?: {label: string, run: () => void}, shown_ms?: number}} [options]
 * @returns {() => void} takes it away
 */
export function toast(text, { tone = 'plain', action, shown_ms = 5000 } = {}) {
  const host = region();
  const dismiss = element('button.icon-button', { type: 'button', 'aria-label': 'Dismiss' }, icon('close'));
  const note = element('div.toast', { data: { tone } }, element('p', {}, text));
  let timer = 0;
  const close = () => {
    clearTimeout(timer);
    note.remove();
  };
  if (action) {
    const button = element('button.button.button--quiet', { type: 'button' }, action.label);
    button.addEventListener('click', () => {
      close();
      action.run();
    });
    note.append(button);
  }
  note.append(dismiss);
  dismiss.addEventListener('click', close);
  const wait = () => {
    clearTimeout(timer);
    if (!action) timer = setTimeout(close, shown_ms);
  };
  note.addEventListener('pointerenter', () => clearTimeout(timer));
  note.addEventListener('pointerleave', wait);
  note.addEventListener('focusin', () => clearTimeout(timer));
  note.addEventListener('focusout', wait);
  host.append(note);
  while (host.children.length > AT_MOST) host.firstElementChild.remove();
  wait();
  return close;
}

/** Everything outside an open modal sheet is inert, so a toast must stand inside it to be read and pressed. */
function region() {
  const parent = [...document.querySelectorAll('dialog[open]')].at(-1) ?? document.body;
  let host = parent.querySelector(':scope > .toasts');
  if (!host) {
    host = element('div.toasts', { role: 'status', 'aria-live': 'polite' });
    parent.append(host);
  }
  return host;
}
