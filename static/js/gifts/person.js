// A sender as a picture: initials on the hue that is theirs on every page.

import { hueOf, initialsOf } from '../ui/person.js';

export function dressAvatar(element, sender) {
  element.textContent = initialsOf(sender.name);
  element.style.setProperty('--hue', String(hueOf(sender.id)));
}

/** A new element with a class and, if given, text. */
export function make(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}
