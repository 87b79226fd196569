import { element, fill } from '../ui/element.js';
import { saidOf } from './payment_words.js';

/** A list that the server gives page by page, newest first: rows, a word where there are none, and a way to older ones. */
export class PagedList {
  #opened = 0;
  #next = null;
  #busy = false;

  /**
   * @param {{label: string, what: string, load: (before: string|null) => Promise<{items: object[], next: string|null}>, draw: (item: object) => Node, none: () => string, refused: (error: RequestError) => void}} parts
   *   `what` names the items in sentences, such as "cases"
   */
  constructor({ label, what, load, draw, none, refused }) {
    Object.assign(this, { what, load, draw, none, refused });
    this.rows = element('ul.payments__rows', { 'aria-label': label });
    this.words = element('div.payments__words.small.secondary', { role: 'status', hidden: true });
    this.older = element('button.button.button--wide', { type: 'button', hidden: true }, 'Show older');
    this.node = element('div.paged', {}, element('div.payments__list', {}, this.rows), this.words, this.older);
    this.older.addEventListener('click', () => this.#showOlder());
  }

  /** Load the newest page. What is shown stays until it is there. */
  async open() {
    this.#opened += 1;
    const opened = this.#opened;
    this.#say('');
    if (this.rows.childElementCount === 0) fill(this.rows, ...[1, 2, 3].map(() => element('li.skeleton.payments__skeleton', { 'aria-hidden': 'true' })));
    try {
      const page = await this.load(null);
      if (opened !== this.#opened) return;
      fill(this.rows, ...page.items.map((item) => element('li', {}, this.draw(item))));
      this.#reach(page.next);
      if (page.items.length === 0) this.#say(this.none());
    } catch (error) {
      if (opened === this.#opened) this.#excuse(error);
    }
  }

  /** Whoever looked is somebody else now: nothing of it stays. */
  close() {
    this.#opened += 1;
    fill(this.rows);
    this.#say('');
    this.older.hidden = true;
  }

  async #showOlder() {
    if (this.#busy || this.#next === null) return;
    const opened = this.#opened;
    this.#busy = true;
    this.older.setAttribute('aria-disabled', 'true');
    try {
      const page = await this.load(this.#next);
      if (opened !== this.#opened) return;
      const first = this.rows.childElementCount;
      this.rows.append(...page.items.map((item) => element('li', {}, this.draw(item))));
      this.#reach(page.next);
      if (this.older.hidden) this.rows.children[first]?.querySelector('button')?.focus();
    } catch (error) {
      if (opened === this.#opened) this.#say(`No older ${this.what} came. ${saidOf(error)}`);
    } finally {
      this.#busy = false;
      this.older.removeAttribute('aria-disabled');
    }
  }

  #reach(next) {
    this.#next = next;
    this.older.hidden = next === null;
  }

  #excuse(error) {
    fill(this.rows);
    this.older.hidden = true;
    if (error.code === 'unauthorized' || error.code === 'forbidden') return this.refused(error);
    if (error.code === 'bad_request') return this.#say('Nobody and nothing can have such an id.');
    const again = element('button.button.button--quiet', { type: 'button' }, `Load the ${this.what} again`);
    again.addEventListener('click', () => this.open());
    this.#say(`The ${this.what} did not come. ${saidOf(error)}`, again);
  }

  #say(text, ...more) {
    fill(this.words, text && element('p', {}, text), ...more);
    this.words.hidden = text === '';
  }
}
