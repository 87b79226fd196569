import { element } from '../ui/element.js';

/**
 * Chips of which one is pressed: what a list shows.
 *
 * @param {[string, string][]} looks value and label of each
 * @param {string} chosen the value that is pressed at first
 * @param {(value: string) => void} look runs when another one is pressed
 */
export function lookChips(looks, chosen, look) {
  const chips = looks.map(([value, label]) => {
    const chip = element('button.chip', { type: 'button', 'aria-pressed': String(value === chosen) }, label);
    chip.addEventListener('click', () => {
      for (const one of chips) one.setAttribute('aria-pressed', String(one === chip));
      look(value);
    });
    return chip;
  });
  return chips;
}
