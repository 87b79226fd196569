import { element, fill } from '../ui/element.js';
import { accountWords, refusalWords, waitsWords } from './words.js';

const ADDRESS_LENGTH_MAX = 254;

/** Where the money goes: the account that is set, masked, and the form that sets one. */
export class Account {
  #terms = null;
  #typing = false;
  #busy = false;

  /** @param {{session: Session, changed: (account: object|null) => void}} parts `changed` hears what is set, and null while the form stands there */
  constructor({ session, changed }) {
    this.session = session;
    this.changed = changed;
    this.said = element('p.goes__address', {});
    this.waits = element('p.small.goes__waits', { hidden: true });
    this.change = element('button.button.button--quiet', { type: 'button', 'aria-label': 'Change where it goes' }, 'Change');
    this.line = element('div.goes__line', {}, this.said, this.change);
    this.provider = element('select.input', { id: 'payout-provider' });
    this.providerField = element('div.field', {}, element('label', { for: 'payout-provider' }, 'Paid out by'), this.provider);
    this.label = element('label', { for: 'payout-address' });
    this.address = element('input.input', {
      id: 'payout-address', type: 'text', autocomplete: 'email', autocapitalize: 'none', spellcheck: 'false', maxlength: ADDRESS_LENGTH_MAX, 'aria-describedby': 'payout-address-note payout-address-problem',
    });
    this.note = element('p.tiny.secondary', { id: 'payout-address-note' });
    this.problem = element('p.payouts__problem.small', { id: 'payout-address-problem', role: 'alert', hidden: true });
    this.save = element('button.button.button--primary', { type: 'submit' }, 'Save');
    this.keep = element('button.button.button--quiet', { type: 'button' }, 'Keep it as it is');
    this.form = element(
      'form.goes__form',
      { novalidate: true },
      this.providerField,
      element('div.field', {}, this.label, this.address, this.note),
      this.problem,
      element('div.goes__buttons', {}, this.save, this.keep),
    );
    this.node = element('section.goes', { 'aria-labelledby': 'goes-title' }, element('h3', { id: 'goes-title' }, 'Where it goes'), this.line, this.waits, this.form);
    this.change.addEventListener('click', () => this.#open(true));
    this.keep.addEventListener('click', () => this.#open(false));
    this.provider.addEventListener('change', () => this.#labelAddress());
    this.address.addEventListener('input', () => this.#complain(''));
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  /** The account in force, or null. */
  get account() {
    return this.#typing ? null : (this.#terms?.account ?? null);
  }

  /** Terms as they are now; what is being typed stays. */
  show(terms) {
    const first = this.#terms === null;
    this.#terms = terms;
    if (first) {
      fill(this.provider, ...terms.providers.map(({ name, title }) => element('option', { value: name }, title)));
      this.#typing = terms.account === null;
    }
    this.#draw();
  }

  /** Put the focus where one goes on. */
  focus() {
    (this.form.hidden ? this.change : this.address).focus();
  }

  #open(typing) {
    this.#typing = typing;
    this.#complain('');
    this.address.value = '';
    this.#draw();
    this.focus();
    this.changed(this.account);
  }

  #draw() {
    const { account, providers } = this.#terms;
    this.form.hidden = !this.#typing;
    this.line.hidden = this.#typing;
    this.providerField.hidden = providers.length < 2;
    this.keep.hidden = account === null;
    this.said.textContent = account === null ? '' : accountWords(account, providers);
    this.said.title = this.said.textContent;
    const waits = account === null ? '' : waitsWords(account);
    this.waits.hidden = waits === '' || this.#typing;
    this.waits.textContent = waits;
    this.note.textContent = account === null ? 'It is shown masked from now on, and can be used at once.' : 'For your safety another account can be used a day after you set it.';
    this.#labelAddress();
  }

  #labelAddress() {
    this.label.textContent = this.#terms.providers.find((one) => one.name === this.provider.value)?.label ?? 'Address';
  }

  async #send() {
    if (this.#busy) return;
    const address = this.address.value.trim();
    if (address === '') return this.#complain('Write where the money should go.', true);
    this.#wait(true);
    try {
      const account = await this.session.put('/v1/payouts/account', { provider: this.provider.value, address });
      this.#terms = { ...this.#terms, account };
      this.#open(false);
    } catch (error) {
      const wrong = error.code === 'payout_address_refused' || error.code === 'bad_request';
      this.#complain(error.code === 'bad_request' ? 'This is no address that can be paid out to. Look at it again.' : refusalWords(error), wrong);
    } finally {
      this.#wait(false);
    }
  }

  #wait(busy) {
    this.#busy = busy;
    this.save.setAttribute('aria-disabled', String(busy));
    this.save.textContent = busy ? 'Saving…' : 'Save';
  }

  #complain(text, wrong = false) {
    this.problem.hidden = text === '';
    this.problem.textContent = text;
    this.address.setAttribute('aria-invalid', String(wrong));
    if (wrong) this.address.focus();
  }
}
