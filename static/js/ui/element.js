import { hueOf, initialsOf } from './person.js';

/**
 * Build one DOM element. Text is always text: nothing here parses HTML.
 *
 * @param {string} tag element name, with classes after dots: `"p.small.secondary"`
 * @param {object} [attributes] attributes; `on` holds listeners, `data` the dataset, `hidden`/`disabled`… are booleans
 * @param {...(Node|string|number|null|undefined|false)} children empty ones are left out
 * @returns {HTMLElement}
 */
export function element(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const node = document.createElement(name);
  if (classes.length > 0) node.className = classes.join(' ');
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === 'on') {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (key === 'data') {
      Object.assign(node.dataset, value);
    } else {
      node.setAttribute(key, value === true ? '' : String(value));
    }
  }
  node.append(...present(children));
  return node;
}

/** Replace everything inside `host`; empty children are left out. */
export function fill(host, ...children) {
  host.replaceChildren(...present(children));
  return host;
}

/** Initials on a hue that always belongs to the same id. */
export function avatar(id, name) {
  const node = element('span.avatar', { 'aria-hidden': 'true' }, initialsOf(name || id || '?'));
  node.style.setProperty('--hue', String(hueOf(id)));
  return node;
}

function present(children) {
  return children
    .flat()
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}
