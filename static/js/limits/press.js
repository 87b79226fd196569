import { RequestError } from '../refusals.js';
import { element } from '../ui/element.js';
import { toast } from '../ui/toast.js';

let numbered = 0;

/** An id for what a label or a description names; parts of these pages stand there once a person. */
export function freshId(name) {
  numbered += 1;
  return `${name}-${numbered}`;
}

/** Run `run` at each press, never twice at the same time; a refusal is said in words. */
export function onPress(button, run) {
  button.addEventListener('click', () => once(button, run));
  return button;
}

/** The same for a form, which `button` sends. */
export function onSend(form, button, run) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    once(button, run);
  });
}

/** A part that opens on demand: its name, and what is in it. */
export function fold(name, ...content) {
  return element('details.fold', {}, element('summary.fold__name', {}, name), element('div.fold__body', {}, ...content));
}

/** A number of coins as it may be typed, NaN for what is none, null for an empty field. */
export function coinsIn(text) {
  const digits = text.replaceAll(/[\s,.]/g, '');
  if (digits === '') return text.trim() === '' ? null : NaN;
  return /^\d{1,13}$/.test(digits) && Number(digits) <= COINS_MAX ? Number(digits) : NaN;
}

const COINS_MAX = 10 ** 12;

async function once(button, run) {
  if (button.getAttribute('aria-disabled') === 'true') return;
  button.setAttribute('aria-disabled', 'true');
  try {
    await run();
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    toast(error.message, { tone: 'bad' });
  } finally {
    button.removeAttribute('aria-disabled');
  }
}
