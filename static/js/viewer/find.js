/** The viewer page's elements, found once, and the small makers its modules share. */

import { avatar, element, fill } from '../ui/element.js';

export { avatar, element, fill };

/** The element of the page with this selector; a missing one is a mistake in viewer.html. */
export function find(selector, within = document) {
  const node = within.querySelector(selector);
  if (node === null) throw new Error(`viewer.html has no ${selector}`);
  return node;
}

/** 1999 → "1,999". */
export const written = (value) => value.toLocaleString('en-US');

/** A coin amount with its mark. */
export const inCoins = (value) => `${written(value)} ${value === 1 ? 'coin' : 'coins'}`;

export function price(coins, tag = 'span.price') {
  return element(tag, {}, element('span.coin-mark', { 'aria-hidden': 'true' }), written(coins), element('span.visually-hidden', {}, coins === 1 ? ' coin' : ' coins'));
}
