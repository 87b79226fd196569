import { avatar, element } from '../ui/element.js';
import { amountOf } from '../ui/money.js';
import { counted } from '../ui/numbers.js';
import { lookChips } from './look_chips.js';
import { PagedList } from './paged_list.js';
import { momentOf, tidy } from './payment_words.js';
import { PayoutHalt } from './payout_halt.js';
import { stateOf, STATES } from './payout_words.js';

const PAGE_PAYOUTS = 30;
const LOOKS = [['', 'All'], ['review', 'Needs a look']];

/** The payouts tab: whose, how much, where to and how each stands, newest first; each row opens its payout. */
export class Payouts {
  #look = '';

  /** @param {{session: Session, opened: (payout: string) => void, refused: (error: RequestError) => void}} parts */
  constructor({ session, opened, refused }) {
    this.session = session;
    this.opened = opened;
    this.chips = lookChips(LOOKS, this.#look, (look) => {
      this.#look = look;
      this.open();
    });
    this.state = element('select.input', { id: 'payouts-state' }, new Option('Every state', ''), ...Object.entries(STATES).map(([state, [text]]) => new Option(text, state)));
    this.person = element('input.input', { id: 'payouts-person', type: 'search', placeholder: 'Person, such as mira', maxlength: '64', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false' });
    this.halt = new PayoutHalt({ session });
    this.list = new PagedList({
      label: 'Payouts, newest first',
      what: 'payouts',
      load: (before) => this.#page(before),
      draw: (payout) => this.#row(payout),
      none: () => (this.#narrowed ? 'No payout is like this.' : 'Nobody has asked to be paid out yet.'),
      refused,
    });
    const form = element(
      'form.filters',
      { 'aria-label': 'Which payouts', novalidate: true },
      element('div.filters__look', { role: 'group', 'aria-label': 'Show' }, ...this.chips),
      named(this.state, 'State'),
      named(this.person, 'Person'),
      element('button.button.button--quiet', { type: 'submit' }, 'Look again'),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.open();
    });
    this.state.addEventListener('change', () => this.open());
    this.person.addEventListener('search', () => this.open());
    document.getElementById('panel-payouts').append(this.halt.node, form, this.list.node);
  }

  open() {
    return this.list.open();
  }

  close() {
    this.list.close();
  }

  get #narrowed() {
    return this.#look !== '' || this.state.value !== '' || this.person.value.trim() !== '';
  }

  async #page(before) {
    const asked = { limit: PAGE_PAYOUTS, review: this.#look === 'review' || '', state: this.state.value, user: this.person.value.trim(), before: before ?? '' };
    const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== ''));
    const { payouts, next, stop } = await this.session.get(`/v1/ops/payouts?${query}`);
    this.halt.show(stop);
    return { items: payouts, next };
  }

  #row(payout) {
    const { text, tone } = stateOf(payout.state);
    const button = element(
      'button.case-row',
      { type: 'button', data: { payout: payout.id } },
      element('span.case-row__who', {}, avatar(payout.user, payout.user), element('span.payment-row__name', {}, payout.user)),
      element(
        'span.case-row__what',
        {},
        element('span.strong', {}, amountOf(payout.amount_minor, payout.currency)),
        element('span.small.secondary', {}, `${counted(payout.diamonds, 'diamond')} · ${payout.address_masked}, ${tidy(payout.provider)}`),
      ),
      element('span.case-row__when.small.secondary', {}, momentOf(payout.created_at_ms)),
      element('span.case-row__stand', {}, element('span.state', { data: { tone } }, text), payout.review !== null && element('span.look', {}, 'Needs a look')),
    );
    button.addEventListener('click', () => this.opened(payout.id));
    return button;
  }
}

function named(control, label) {
  return element('div.filters__field', {}, element('label.visually-hidden', { for: control.id }, label), control);
}
