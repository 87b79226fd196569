/** What went wrong, in words, and the button that helps. One notice a subject; the newest on top, two at most. */

import { element, find } from './find.js';

const MOST = 2;

export class Notices {
  #host = find('.notices');
  #bySubject = new Map();

  /**
   * Say `words`; `actions` are {label, run, primary}. A notice of the same subject is replaced. It stays until it is
   * dismissed, acted on, cleared, or (with `forMs`) for that long.
   */
  say(subject, words, actions = [], { forMs = 0, tone = 'warn' } = {}) {
    const before = this.#bySubject.get(subject);
    if (before?.words === words) return;
    this.clear(subject);
    const buttons = actions.map(({ label, run, primary = true }) => {
      const button = element(primary ? 'button.button.button--primary' : 'button.button.button--quiet', { type: 'button' }, label);
      button.addEventListener('click', () => {
        this.clear(subject);
        run();
      });
      return button;
    });
    const dismiss = element('button.icon-button', { type: 'button', 'aria-label': 'Dismiss' }, '✕');
    dismiss.addEventListener('click', () => this.clear(subject));
    const node = element(
      `div.notice.notice--${tone}`, { role: 'alert', data: { subject } },
      element('p.notice__words', {}, words), element('div.notice__actions', {}, ...buttons, dismiss),
    );
    this.#host.prepend(node);
    const timer = forMs > 0 ? setTimeout(() => this.clear(subject), forMs) : null;
    this.#bySubject.set(subject, { node, words, timer });
    while (this.#bySubject.size > MOST) this.clear(this.#bySubject.keys().next().value);
  }

  clear(subject) {
    const shown = this.#bySubject.get(subject);
    if (shown === undefined) return;
    clearTimeout(shown.timer);
    const hadFocus = shown.node.contains(document.activeElement);
    shown.node.remove();
    this.#bySubject.delete(subject);
    if (hadFocus) find('.open-panel').focus({ focusVisible: false });
  }

  /** The notices must be inside an open modal panel, or the panel would cover them and they could not be used. */
  within(parent) {
    if (this.#host.parentElement !== parent) parent.append(this.#host);
  }
}
