import { uuid7 } from '../giftclient/keys.js';
import { element } from '../ui/element.js';
import { count, counted } from '../ui/numbers.js';
import { toast } from '../ui/toast.js';

const PACKS_COINS = [70, 350, 1_000, 2_500, 5_000, 10_000];
const CHOSEN_COINS = 1_000;

/** Free coins of the demo, and it says so: below what is on sale, or in its place where nothing is. */
export class TopUp {
  /** @param {{session: Session, added: () => Promise<void>}} parts `added` runs after coins were credited */
  constructor({ session, added }) {
    this.session = session;
    this.added = added;
    this.form = document.getElementById('topup');
    this.send = document.getElementById('topup-send');
    document.getElementById('packs').append(...PACKS_COINS.map(pack));
    this.form.addEventListener('change', () => this.#label());
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#add(this.#chosen());
    });
    this.#label();
  }

  /** @param {{isDemo: boolean, sold: boolean}} place with coins on `sold` above, the free ones stand back */
  open({ isDemo, sold }) {
    this.form.hidden = !isDemo;
    this.form.dataset.quiet = String(sold);
    this.send.classList.toggle('button--primary', !sold);
    document.getElementById('topup-closed').hidden = isDemo || sold;
  }

  #chosen() {
    return Number(new FormData(this.form).get('coins'));
  }

  #label() {
    this.send.textContent = `Add ${count(this.#chosen())} demo coins`;
  }

  /** One key for a press and every further try of it: coins that did arrive are not added again. */
  async #add(coins, key = uuid7(Date.now())) {
    if (this.send.getAttribute('aria-disabled') === 'true') return;
    this.send.setAttribute('aria-disabled', 'true');
    this.send.textContent = 'Adding…';
    try {
      await this.session.post('/demo/topup', { coins, key });
      toast(`${counted(coins, 'demo coin')} added. Enjoy them.`, { tone: 'good' });
      await this.added();
    } catch (error) {
      toast(`No coins were added. ${error.message}`, {
        tone: 'bad',
        action: { label: 'Try again', run: () => this.#add(coins, key) },
      });
    } finally {
      this.send.removeAttribute('aria-disabled');
      this.#label();
    }
  }
}

function pack(coins, index) {
  const id = `pack-${coins}`;
  const radio = element('input.pack__radio', {
    type: 'radio',
    name: 'coins',
    id,
    value: coins,
    checked: coins === CHOSEN_COINS,
  });
  const pile = element('span.pack__pile', { 'aria-hidden': 'true', data: { pile: index + 1 } });
  for (let coin = 0; coin <= index; coin += 1) pile.append(element('span.coin-mark', {}));
  return element(
    'div.pack',
    {},
    radio,
    element('label.pack__face', { for: id }, pile, element('span.pack__coins', {}, count(coins)), element('span.pack__price', {}, 'free')),
  );
}
