/** Modal sheets: from below on a phone, centred on a desktop. The browser's dialog keeps the focus inside. */

import { element, find } from './find.js';

/**
 * Open a sheet with a title and content; it is removed when closed, and focus returns to where it was.
 * @returns {HTMLDialogElement}
 */
export function openSheet(title, content, { className = '', onClose = () => {} } = {}) {
  const close = element('button.icon-button.sheet__close', { type: 'button', 'aria-label': 'Close' }, '✕');
  const heading = element('h2.sheet__title', { id: `sheet-${title.toLowerCase().replace(/\W+/g, '-')}` }, title);
  const dialog = element(
    'dialog.sheet', { 'aria-labelledby': heading.id },
    element('div.sheet__head', {}, heading, close), element('div.sheet__body.scroll', {}, ...content),
  );
  if (className) dialog.classList.add(className);
  const before = document.activeElement;
  close.addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  dialog.addEventListener('close', () => {
    dialog.remove();
    before?.focus?.({ focusVisible: false });
    onClose(dialog.returnValue);
  });
  find('.viewer').append(dialog);
  dialog.showModal();
  return dialog;
}
