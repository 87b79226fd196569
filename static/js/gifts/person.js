// A sender as a picture: initials on a colour that is always the same for the same person.

import { seedOf } from './random.js';

export function initials(name) {
  const parts = name.trim().split(/\s+/);
  const letters = parts.length > 1 ? [parts[0], parts[parts.length - 1]] : [parts[0] ?? ''];
  return letters.map(part => [...part][0] ?? '').join('').toLocaleUpperCase();
}

export function avatarColours(id) {
  const hue = seedOf(id) % 360;
  return [`hsl(${hue} 78% 66%)`, `hsl(${(hue + 48) % 360} 70% 46%)`];
}

export function dressAvatar(element, sender) {
  const [from, to] = avatarColours(sender.id);
  element.textContent = initials(sender.name);
  element.style.background = `linear-gradient(140deg, ${from}, ${to})`;
}

/** A new element with a class and, if given, text. */
export function make(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}
