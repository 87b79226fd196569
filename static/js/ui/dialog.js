import { element } from './element.js';
import { icon } from './icons.js';

let opened = 0;

/**
 * Show a modal sheet. The browser keeps the focus inside and gives it back on close; Escape, the close button and
 * a press on the backdrop all close it.
 *
 * @param {{title: string, body: Node[], actions?: Node[], tone?: string}} content
 * @returns {HTMLDialogElement} already open; listen to `close`
 */
export function sheet({ title, body, actions = [], tone = 'plain' }) {
  opened += 1;
  const titleId = `sheet-title-${opened}`;
  const close = element('button.icon-button.sheet__close', { type: 'button', 'aria-label': 'Close' }, icon('close'));
  const dialog = element(
    'dialog.sheet',
    { 'aria-labelledby': titleId, data: { tone } },
    element(
      'div.sheet__inner',
      {},
      element('header.sheet__head', {}, element('h2', { id: titleId }, title), close),
      element('div.sheet__body', {}, ...body),
      actions.length > 0 && element('footer.sheet__actions', {}, ...actions),
    ),
  );
  close.addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Ask before something that cannot be taken back.
 *
 * @param {{title: string, text: string, yes: string, no?: string}} question
 * @returns {Promise<boolean>} false when closed in any other way
 */
export function ask({ title, text, yes, no = 'Keep it as it is' }) {
  const refuse = element('button.button.button--quiet', { type: 'button', autofocus: true }, no);
  const agree = element('button.button.button--primary', { type: 'button' }, yes);
  const dialog = sheet({ title, body: [element('p', {}, text)], actions: [refuse, agree] });
  return new Promise((resolve) => {
    let answer = false;
    agree.addEventListener('click', () => {
      answer = true;
      dialog.close();
    });
    refuse.addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => resolve(answer));
  });
}
