import { element, fill } from '../ui/element.js';
import { promotionOf } from './price_words.js';

const WHOLE = /^\d{1,12}$/;

/** The promotions of the list that is being written: what it has, leaving one out, and putting a new one in. */
export class Promotions {
  /** @param {{read: () => {list?: object, wrong?: string}, write: (list: object) => void}} text the list, as it is written below */
  constructor(text) {
    this.listed = text;
    this.rows = element('ul.promotions', { 'aria-label': 'Promotions of the list being written' });
    this.words = element('p.small.edit-promotions__words', { id: 'promotion-words', role: 'status' });
    this.title = input('promotion-title', { placeholder: 'Such as: 20 % more for the festival', maxlength: '80' });
    this.percent = input('promotion-percent', { inputmode: 'numeric', placeholder: '20', maxlength: '4' });
    this.most = input('promotion-most', { inputmode: 'numeric', placeholder: '500', maxlength: '12' });
    this.code = input('promotion-code', { placeholder: 'None: everybody gets it', maxlength: '20' });
    this.starts = input('promotion-starts', { type: 'datetime-local' });
    this.ends = input('promotion-ends', { type: 'datetime-local' });
    this.uses = input('promotion-uses', { inputmode: 'numeric', placeholder: 'Any number', maxlength: '12' });
    this.first = element('select.input', { id: 'promotion-first' }, new Option('Any purchase', ''), new Option('The first purchase only', 'first'));
    this.form = element(
      'form.add-promotion',
      { 'aria-label': 'Add a promotion', novalidate: true },
      named('Title, as buyers read it', this.title),
      named('Bonus, in %', this.percent),
      named('Bonus at most', this.most),
      named('Code', this.code),
      named('From (UTC)', this.starts),
      named('Until (UTC)', this.ends),
      named('Times, for all people together', this.uses),
      named('With', this.first),
      element('div.add-promotion__send', {}, element('button.button', { type: 'submit', 'aria-describedby': 'promotion-words' }, 'Put it into the list')),
    );
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#add();
    });
    for (const field of this.#fields) field.addEventListener('input', () => this.#complain(''));
    document.getElementById('propose-promotions').append(
      this.rows,
      this.words,
      element('details.more', {}, element('summary.more__summary', {}, 'Add a promotion'), this.form),
    );
  }

  /** The text has changed: show the promotions in it. While it is no list, what was shown goes. */
  show() {
    const { list } = this.listed.read();
    const found = Array.isArray(list?.promotions) ? list.promotions.filter((one) => typeof one === 'object' && one !== null) : [];
    fill(this.rows, ...found.map((promotion) => this.#row(promotion)));
  }

  clear() {
    fill(this.rows);
    this.form.reset();
    this.#complain('');
  }

  get #fields() {
    return [this.title, this.percent, this.most, this.code, this.starts, this.ends, this.uses];
  }

  #row(promotion) {
    const button = element('button.button.button--quiet', { type: 'button', 'aria-label': `Leave it out: ${promotion.title}` }, 'Leave it out');
    button.addEventListener('click', () => this.#leaveOut(promotion));
    return element(
      'li.promotion.edit-promotions__row',
      { data: { promotion: promotion.id } },
      element('div', {}, element('p.strong', {}, String(promotion.title)), element('p.small.secondary', {}, promotionOf(promotion))),
      button,
    );
  }

  #leaveOut({ id, title }) {
    const { list } = this.listed.read();
    if (list === undefined) return;
    this.listed.write({ ...list, promotions: list.promotions.filter((one) => one?.id !== id) });
    this.#complain(`“${title}” is left out. It ends once this list is proposed and approved.`);
  }

  #add() {
    const meant = this.#meant();
    if (meant === null) return;
    const { list, wrong } = this.listed.read();
    if (wrong !== undefined) return this.#complain(`The list below cannot be read. ${wrong}`);
    const promotions = Array.isArray(list.promotions) ? list.promotions : [];
    const promotion = { id: freeId(meant.title, promotions), ...meant };
    this.listed.write({ ...list, promotions: [...promotions, promotion] });
    this.form.reset();
    this.#complain(`“${promotion.title}” is in the list below. Propose the list for it to count.`);
  }

  /** What is in the fields, or null: then what is wrong stands there. The rest is the server's to say. */
  #meant() {
    const title = this.title.value.trim();
    if (title === '') return this.#complain('Write a title: buyers read it.', this.title);
    for (const [field, name] of [[this.percent, 'the bonus, in %'], [this.most, 'the bonus at most']]) {
      if (!isMany(field.value)) return this.#complain(`Write a whole number above 0: ${name}.`, field);
    }
    if (this.uses.value.trim() !== '' && !isMany(this.uses.value)) return this.#complain('Write a whole number above 0, or nothing: any number of times.', this.uses);
    const code = this.code.value.trim().toUpperCase();
    return {
      title,
      bonus_percent: Number(this.percent.value),
      bonus_coins_max: Number(this.most.value),
      first_purchase: this.first.value !== '',
      code: code === '' ? null : code,
      starts: momentOf(this.starts.value),
      ends: momentOf(this.ends.value),
      uses_max: this.uses.value.trim() === '' ? null : Number(this.uses.value),
    };
  }

  #complain(text, field = null) {
    this.words.textContent = text;
    for (const one of this.#fields) one.setAttribute('aria-invalid', String(one === field));
    field?.focus();
    return null;
  }
}

function isMany(text) {
  return WHOLE.test(text.trim()) && Number(text) > 0;
}

/** "20 % more" → "20-more"; with a number behind it where the list has that already. */
function freeId(title, promotions) {
  const taken = new Set(promotions.map((one) => one?.id));
  const name = title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-+|-+$/g, '') || 'promotion';
  for (let number = 1; ; number += 1) {
    const id = number === 1 ? name : `${name}-${number}`;
    if (!taken.has(id)) return id;
  }
}

/** "2026-12-01T08:00" as the server wants it: with its zone, which is UTC. */
function momentOf(local) {
  return local === '' ? null : `${local.length === 16 ? `${local}:00` : local}Z`;
}

function input(id, more) {
  return element('input.input', { id, type: 'text', autocomplete: 'off', autocapitalize: 'none', ...more });
}

function named(label, control) {
  return element('div.field', {}, element('label', { for: control.id }, label), control);
}
