import { avatar, element } from '../ui/element.js';
import { bearersOf, reasonOf, standOf } from './claim_words.js';
import { amountOf } from '../ui/money.js';
import { lookChips } from './look_chips.js';
import { PagedList } from './paged_list.js';
import { momentOf } from './payment_words.js';

const PAGE_DISPUTES = 30;
const LOOKS = [['', 'All'], ['open', 'Open'], ['lost', 'Lost'], ['won', 'Won']];

/** The disputes tab: how each stands and who bears it, newest first; each row opens its payment. */
export class Disputes {
  #state = '';

  /** @param {{session: Session, opened: (payment: string) => void, refused: (error: RequestError) => void}} parts */
  constructor({ session, opened, refused }) {
    this.session = session;
    this.opened = opened;
    this.chips = lookChips(LOOKS, this.#state, (state) => {
      this.#state = state;
      this.open();
    });
    const again = element('button.button.button--quiet', { type: 'button' }, 'Look again');
    again.addEventListener('click', () => this.open());
    this.list = new PagedList({
      label: 'Disputes, newest first',
      what: 'disputes',
      load: (before) => this.#page(before),
      draw: (dispute) => this.#row(dispute),
      none: () => (this.#state === '' ? 'Nobody has disputed a payment.' : 'No dispute is like this.'),
      refused,
    });
    document.getElementById('panel-disputes').append(
      element('div.filters', { role: 'group', 'aria-label': 'Which disputes' }, element('div.filters__look', {}, ...this.chips), again),
      this.list.node,
    );
  }

  open() {
    return this.list.open();
  }

  close() {
    this.list.close();
  }

  async #page(before) {
    const asked = { limit: PAGE_DISPUTES, state: this.#state, before: before ?? '' };
    const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== ''));
    const { disputes, next } = await this.session.get(`/v1/ops/disputes?${query}`);
    return { items: disputes, next };
  }

  #row(dispute) {
    const { text, tone } = standOf({ kind: 'dispute', ...dispute });
    const button = element(
      'button.case-row',
      { type: 'button', data: { dispute: dispute.id, payment: dispute.payment } },
      element('span.case-row__who', {}, avatar(dispute.user, dispute.user), element('span.payment-row__name', {}, dispute.user)),
      element(
        'span.case-row__what',
        {},
        element('span.strong', {}, amountOf(dispute.amount_minor, dispute.currency)),
        element('span.small.secondary', {}, reasonOf({ kind: 'dispute', ...dispute })),
        element('span.small', {}, bearersOf(dispute)),
      ),
      element('span.case-row__when.small.secondary', {}, momentOf(dispute.opened_at_ms)),
      element('span.state', { data: { tone } }, text),
    );
    button.addEventListener('click', () => this.opened(dispute.payment));
    return button;
  }
}
