/** Entering the code that somebody has on their screen. */
export class EnterCode {
  #busy = false;

  /** @param {{session: Session, linked: (ward: object) => void}} parts */
  constructor({ session, linked }) {
    this.session = session;
    this.linked = linked;
    this.field = document.getElementById('enter-code');
    this.button = document.getElementById('enter-send');
    this.words = document.getElementById('enter-words');
    this.field.addEventListener('input', () => this.#say(''));
    document.getElementById('enter').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  clear() {
    this.field.value = '';
    this.#say('');
  }

  async #send() {
    if (this.#busy) return;
    const code = this.field.value.trim();
    if (code === '') return this.#refuse('Enter the code that they see in their wallet, below Limits.');
    this.#busy = true;
    this.button.setAttribute('aria-disabled', 'true');
    this.#say('');
    const me = this.session.me;
    try {
      const ward = await this.session.post('/v1/guardian/wards', { code });
      if (this.session.me !== me) return;
      this.clear();
      this.linked(ward);
    } catch (error) {
      if (this.session.me === me) this.#refuse(error.message);
    } finally {
      this.#busy = false;
      this.button.removeAttribute('aria-disabled');
    }
  }

  #refuse(text) {
    this.#say(text);
    this.field.focus();
  }

  #say(text) {
    this.words.textContent = text;
    this.field.setAttribute('aria-invalid', String(text !== ''));
  }
}
