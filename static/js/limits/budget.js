import { element, fill } from '../ui/element.js';
import { count } from '../ui/numbers.js';
import { clockIn } from '../ui/moments.js';
import { coinsIn, freshId, onSend } from './press.js';
import { limitOf } from './words.js';

const HOURS = [1, 2, 3, 4, 6, 8, 12, 24];
const USUAL_HOURS = 3;

/** Coins for the next hours. While it runs it can only be lowered. */
export class SessionBudget {
  #answer = null;
  #running = null;

  /** @param {(budget: {coins: number, hours: number}) => Promise<void>} save */
  constructor(save) {
    const [id, words, hoursId] = [freshId('budget'), freshId('budget-words'), freshId('budget-hours')];
    this.coins = element('input.input', { id, type: 'text', inputmode: 'numeric', maxlength: 17, autocomplete: 'off', 'aria-describedby': words });
    this.hours = element('select.input', { id: hoursId }, ...HOURS.map((hours) => element('option', { value: hours, selected: hours === USUAL_HOURS }, hours === 1 ? '1 hour' : `${hours} hours`)));
    this.hoursField = element('div.field', {}, element('label', { for: hoursId }, 'For'), this.hours);
    this.words = element('p.small.secondary', { id: words, role: 'status' });
    this.send = element('button.button.button--primary', { type: 'submit' });
    this.node = element(
      'form.budget', { novalidate: true },
      this.words,
      element('div.budget__fields', {}, element('div.field', {}, element('label', { for: id }, 'Coins'), this.coins), this.hoursField),
      this.send,
    );
    this.coins.addEventListener('input', () => this.#complain(''));
    onSend(this.node, this.send, () => this.#save(save));
  }

  update(answer) {
    this.#answer = answer;
    const running = limitOf(answer, 'session') ?? null;
    const told = JSON.stringify([running?.coins, running?.resets_at_ms, answer.zone]);
    if (told === this.told) return;
    this.told = told;
    this.#running = running;
    this.hoursField.hidden = running !== null;
    this.coins.value = '';
    this.#complain('');
    fill(this.send, running === null ? 'Begin' : 'Lower it');
  }

  #complain(problem) {
    this.coins.setAttribute('aria-invalid', String(problem !== ''));
    const running = this.#running;
    const standing = running === null
      ? 'Coins for gifts, and as many to buy, from now on for some hours. It can be lowered while it runs, not raised.'
      : `${count(running.coins)} coins until ${clockIn(running.resets_at_ms, this.#answer.zone)}. Until then it can only be lowered.`;
    const words = problem || standing;
    if (this.words.textContent !== words) this.words.textContent = words;
  }

  async #save(save) {
    const coins = coinsIn(this.coins.value);
    const most = this.#running?.coins ?? Infinity;
    if (coins === null || Number.isNaN(coins) || coins >= most) {
      this.#complain(Number.isFinite(most) ? `Whole coins, fewer than ${count(most)}.` : 'Whole coins, such as 50.');
      this.coins.focus();
      return;
    }
    await save({ coins, hours: Number(this.hours.value) });
  }
}
