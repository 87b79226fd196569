import { element, fill } from '../ui/element.js';
import { changesOf } from './price_changes.js';
import { readText, textOf } from './price_text.js';
import { saidOf } from './payment_words.js';
import { Promotions } from './promotions.js';

/** Write another price list, as JSON, and propose it; the server says what is wrong with it. */
export class Propose {
  #inForce = null;
  #given = '';
  #busy = false;

  /** @param {{session: Session, proposed: () => void}} parts */
  constructor({ session, proposed }) {
    this.session = session;
    this.proposed = proposed;
    this.text = document.getElementById('propose-text');
    this.words = document.getElementById('propose-words');
    this.send = document.getElementById('propose-send');
    this.promotions = new Promotions({ read: () => readText(this.text.value), write: (list) => this.#edit(list) });
    this.text.addEventListener('input', () => {
      this.#say('');
      this.promotions.show();
    });
    document.getElementById('propose-reset').addEventListener('click', () => this.#reset());
    document.getElementById('propose').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#propose();
    });
  }

  clear() {
    this.#inForce = null;
    this.text.value = '';
    this.#given = '';
    this.#say('');
    this.promotions.clear();
  }

  /** Another list may be in force: what somebody has begun to write stays theirs. */
  show(inForce) {
    const untouched = this.text.value === this.#given;
    this.#inForce = inForce;
    this.#given = textOf(inForce);
    if (untouched) this.#write(this.#given);
  }

  #edit(list) {
    this.#write(textOf(list));
    this.#say('');
  }

  #write(text) {
    this.text.value = text;
    this.promotions.show();
  }

  #reset() {
    this.#write(this.#given);
    this.#say('');
    this.text.focus();
  }

  async #propose() {
    if (this.#busy || this.#inForce === null) return;
    const { list, wrong } = readText(this.text.value);
    if (wrong !== undefined) return this.#refuse(wrong);
    if (this.text.value === this.#given) return this.#refuse('Nothing is changed yet.');
    this.#busy = true;
    this.send.setAttribute('aria-disabled', 'true');
    this.#say('');
    try {
      const made = await this.session.post('/v1/ops/prices', list);
      this.#write(this.#given);
      this.#told(made);
      this.proposed();
    } catch (error) {
      this.#refuse(error.temporary ? `${saidOf(error)} Look at the proposals below before you press again: it may be among them.` : saidOf(error));
    } finally {
      this.#busy = false;
      this.send.removeAttribute('aria-disabled');
    }
  }

  #told({ version, prices }) {
    const changes = changesOf(this.#inForce, prices).length;
    const much = changes === 0 ? 'It changes nothing.' : 'What it changes stands with it, below.';
    this.#say('good', element('p', {}, `Version ${version} is proposed. ${much} A second person must approve it.`));
  }

  #refuse(text) {
    this.#say('bad', element('p', {}, text));
    this.text.setAttribute('aria-invalid', 'true');
    this.text.focus();
  }

  #say(tone, ...nodes) {
    this.words.dataset.tone = tone;
    fill(this.words, ...nodes);
    this.text.removeAttribute('aria-invalid');
  }
}
