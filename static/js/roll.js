/** Numbers that roll: each digit is a column of 0–9 moved to its place, so a change is seen as movement. */

const DIGITS = '0123456789';

/**
 * A number in an element. `set(n)` rolls to n; the whole number is always there for screen readers and tests
 * as the element's `data-value` and its hidden text.
 */
export class RollingNumber {
  #host;
  #spoken;
  #shown;
  #format;
  #text = '';

  /** @param {HTMLElement} host emptied and filled. @param {(n: number) => string} format n as shown. */
  constructor(host, format = (n) => n.toLocaleString('en-US')) {
    this.#host = host;
    this.#format = format;
    this.#spoken = document.createElement('span');
    this.#spoken.className = 'visually-hidden';
    this.#shown = document.createElement('span');
    this.#shown.className = 'roll';
    this.#shown.setAttribute('aria-hidden', 'true');
    host.replaceChildren(this.#spoken, this.#shown);
  }

  /** Roll to `value` (an integer); the same value again does nothing. */
  set(value) {
    const text = this.#format(value);
    this.#host.dataset.value = String(value);
    if (text === this.#text) return;
    this.#spoken.textContent = text;
    if (text.length === this.#text.length && sameShape(text, this.#text)) this.#turn(text);
    else this.#rebuild(text);
    this.#text = text;
  }

  #turn(text) {
    [...this.#shown.children].forEach((cell, i) => place(cell, text[i]));
  }

  /** Another length: cells are made anew, starting from the digits that stood at the same place from the right. */
  #rebuild(text) {
    const before = this.#text;
    const cells = [...text].map((character, i) => {
      const cell = document.createElement('span');
      if (!DIGITS.includes(character)) {
        cell.textContent = character;
        return cell;
      }
      cell.className = 'roll__digit';
      const column = document.createElement('span');
      column.className = 'roll__column';
      for (const digit of DIGITS) {
        const face = document.createElement('span');
        face.textContent = digit;
        column.append(face);
      }
      cell.append(column);
      const old = before[before.length - (text.length - i)];
      place(cell, DIGITS.includes(old ?? 'x') ? old : character);
      return cell;
    });
    this.#shown.replaceChildren(...cells);
    if (before === '') return;
    void this.#shown.offsetWidth; // the start position must be laid out, or nothing rolls
    this.#turn(text);
  }
}

function sameShape(a, b) {
  return [...a].every((character, i) => DIGITS.includes(character) === DIGITS.includes(b[i]));
}

function place(cell, digit) {
  const column = cell.firstElementChild;
  if (column !== null) column.style.transform = `translateY(${-1.2 * DIGITS.indexOf(digit)}em)`;
}
