import { count } from '../ui/numbers.js';

const SHAPE = /^[A-Z0-9]{3,20}$/;

/** A code that brings more coins: entered, tried at the server, and said what it gives. */
export class PromoCode {
  /** The code that counts, or null. */
  code = null;
  #busy = false;

  /** @param {() => Promise<void>} tried asks what the choice costs with the code; answers with `accept`, `refuse` or `wait` */
  constructor(tried) {
    this.tried = tried;
    this.box = document.getElementById('promo');
    this.field = document.getElementById('promo-code');
    this.button = document.getElementById('promo-apply');
    this.words = document.getElementById('promo-words');
    this.button.addEventListener('click', () => (this.code === null ? this.#apply() : this.#drop()));
    this.field.addEventListener('input', () => {
      if (this.code !== null) this.#drop();
      this.#say('', 'plain');
    });
    this.field.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter') return;
      event.preventDefault(); // this field is no order
      if (this.code === null) this.#apply();
    });
  }

  clear() {
    this.code = null;
    this.field.value = '';
    this.box.open = false;
    this.#say('', 'plain');
    this.#label();
  }

  /** The code is good: say what it brings, and what would come without it. */
  accept(terms, without) {
    const more = terms.bonus_coins > 0 ? `+${count(terms.bonus_coins)} bonus coins` : 'No bonus coins for this choice';
    const instead = without > terms.bonus_coins ? ` Without the code you get +${count(without)}.` : '';
    this.#say(`${this.code}: ${more}.${instead}`, without > terms.bonus_coins ? 'plain' : 'good');
    this.field.removeAttribute('aria-invalid');
  }

  /** There is nothing yet that it could be for. */
  wait() {
    this.#say('Choose how many coins, and see what it brings.', 'plain');
  }

  /** The code does not count any more, and this is why. */
  refuse(text) {
    this.code = null;
    this.box.open = true;
    this.#say(text, 'bad');
    this.field.setAttribute('aria-invalid', 'true');
    this.#label();
  }

  async #apply() {
    if (this.#busy) return;
    const code = this.field.value.trim().toUpperCase();
    if (!SHAPE.test(code)) {
      this.refuse('A code is 3 to 20 letters and digits.');
      this.field.focus();
      return;
    }
    this.field.value = code;
    this.code = code;
    this.#busy = true;
    this.button.setAttribute('aria-disabled', 'true');
    this.#say('Trying the code…', 'plain');
    await this.tried();
    this.#busy = false;
    this.button.removeAttribute('aria-disabled');
    this.#label();
  }

  #drop() {
    this.code = null;
    this.#say('', 'plain');
    this.#label();
    this.tried();
  }

  #label() {
    this.button.textContent = this.code === null ? 'Apply' : 'Take off';
  }

  #say(text, tone) {
    this.words.dataset.tone = tone;
    this.words.textContent = text;
    if (tone !== 'bad') this.field.removeAttribute('aria-invalid');
  }
}
