import { element, fill } from '../ui/element.js';
import { count } from '../ui/numbers.js';
import { toast } from '../ui/toast.js';
import { coinsIn, freshId, onSend } from './press.js';
import { AMOUNTS, KINDS, beginOf, limitOf, wishWords } from './words.js';

const WRONG = 'Whole coins, such as 500, or nothing for no limit.';

/** Limits of a gift, a day and a month, and before they are saved, which change begins at once and which in 24 hours. */
export class LimitsEditor {
  #answer = null;
  #fields = new Map();

  /**
   * @param {{scope: "own"|"guardian", save: (wishes: object) => Promise<void>}} parts `wishes` are what PUT takes:
   *   only limits that were changed
   */
  constructor({ scope, save }) {
    this.scope = scope;
    this.send = element('button.button.button--primary', { type: 'submit' }, 'Save limits');
    this.begins = element('ul.editor__begins', { 'aria-live': 'polite' });
    this.node = element(
      'form.editor', { novalidate: true },
      element('div.editor__fields', {}, ...AMOUNTS.map((kind) => this.#field(kind))),
      element('p.tiny.secondary', {}, 'Empty is no limit. A stricter limit begins at once, a looser one in 24 hours.'),
      this.begins,
      this.send,
    );
    onSend(this.node, this.send, () => this.#save(save));
  }

  /** What holds now; a field that is being changed keeps what was typed. */
  update(answer) {
    for (const kind of AMOUNTS) {
      const field = this.#fields.get(kind);
      const held = this.#held(answer, kind);
      const untouched = this.#answer === null || coinsIn(field.input.value) === this.#held(this.#answer, kind);
      if (untouched) field.input.value = held === null ? '' : count(held);
      const everybodys = kind === 'day' ? answer.platform_day_coins : null;
      field.hint = everybodys === null ? '' : `Empty: ${count(everybodys)}, as for everybody.`;
      field.input.placeholder = 'None';
    }
    this.#answer = answer;
    this.#preview();
  }

  #field(kind) {
    const [id, words] = [freshId(`limit-${kind}`), freshId('limit-words')];
    const input = element('input.input', {
      id, type: 'text', inputmode: 'numeric', maxlength: 17, autocomplete: 'off', 'aria-describedby': words,
    });
    const problem = element('p.editor__problem.tiny', { id: words });
    input.addEventListener('input', () => this.#answer === null || this.#preview());
    this.#fields.set(kind, { input, problem, hint: '' });
    return element('div.field', {}, element('label', { for: id }, KINDS[kind].field), input, problem);
  }

  #held(answer, kind) {
    return limitOf(answer, kind)[`${this.scope}_coins`];
  }

  /** Changes that are typed: [kind, before, wished]; null when one of them is no number. */
  #changes() {
    const all = AMOUNTS.map((kind) => [kind, this.#held(this.#answer, kind), coinsIn(this.#fields.get(kind).input.value)]);
    if (all.some(([, , wished]) => Number.isNaN(wished))) return null;
    return all.filter(([, before, wished]) => before !== wished);
  }

  #preview() {
    for (const { input, problem, hint } of this.#fields.values()) {
      const wrong = Number.isNaN(coinsIn(input.value));
      input.setAttribute('aria-invalid', String(wrong));
      problem.textContent = wrong ? WRONG : hint;
    }
    const lines = (this.#changes() ?? []).map((change) => [beginOf(change, this.scope, this.#answer), wishWords(change, this.scope, this.#answer)]);
    const told = lines.map(([, words]) => words).join('\n');
    if (told === this.told) return; // the same words again would be read aloud again
    this.told = told;
    fill(this.begins, ...lines.map(([begin, words]) => element('li.small', { data: { begin } }, words)));
  }

  async #save(save) {
    if (this.#answer === null) return;
    const changes = this.#changes();
    if (changes === null) {
      [...this.#fields.values()].find(({ input }) => input.getAttribute('aria-invalid') === 'true').input.focus();
      return;
    }
    if (changes.length === 0) return toast('Nothing was changed: these limits hold.');
    await save(Object.fromEntries(changes.map(([kind, , wished]) => [`${kind}_coins`, wished])));
    for (const [kind] of changes) this.#fields.get(kind).input.value = this.#shown(kind);
    this.#preview();
    toast('Saved.', { tone: 'good' });
  }

  /** A raise waits: until it begins, the field shows what holds. */
  #shown(kind) {
    const held = this.#held(this.#answer, kind);
    return held === null ? '' : count(held);
  }
}
