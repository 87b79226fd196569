import { avatar, element } from '../ui/element.js';
import { reasonOf, standOf, subjectOf } from './case_words.js';
import { lookChips } from './look_chips.js';
import { PagedList } from './paged_list.js';
import { momentOf } from './payment_words.js';

const PAGE_CASES = 30;
const LOOKS = [['open', 'Open'], ['closed', 'Closed'], ['', 'All']];

/** The cases tab: what waits for a decision, newest first; each row opens its case. */
export class Cases {
  #state = 'open';

  /** @param {{session: Session, opened: (id: string) => void, refused: (error: RequestError) => void}} parts */
  constructor({ session, opened, refused }) {
    this.session = session;
    this.opened = opened;
    this.chips = lookChips(LOOKS, this.#state, (state) => {
      this.#state = state;
      this.open();
    });
    this.kind = element('select.input', { id: 'case-kind' }, new Option('From everybody', ''), new Option('From people', 'report'), new Option('From rules', 'rule'));
    this.kind.addEventListener('change', () => this.open());
    const again = element('button.button.button--quiet', { type: 'button' }, 'Look again');
    again.addEventListener('click', () => this.open());
    this.list = new PagedList({
      label: 'Cases, newest first',
      what: 'cases',
      load: (before) => this.#page(before),
      draw: (found) => this.#row(found),
      none: () => (this.#state === 'open' ? 'Nothing waits for a decision.' : 'There is no such case.'),
      refused,
    });
    document.getElementById('panel-cases').append(
      element(
        'div.filters',
        { role: 'group', 'aria-label': 'Which cases' },
        element('div.filters__look', {}, ...this.chips),
        element('div.filters__field', {}, element('label.visually-hidden', { for: 'case-kind' }, 'Opened by'), this.kind),
        again,
      ),
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
    const asked = { limit: PAGE_CASES, state: this.#state, kind: this.kind.value, before: before ?? '' };
    const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== ''));
    const { cases, next } = await this.session.get(`/v1/ops/cases?${query}`);
    return { items: cases, next };
  }

  #row(found) {
    const { text, tone } = standOf(found);
    const button = element(
      'button.case-row',
      { type: 'button', data: { case: found.id } },
      element('span.case-row__who', {}, avatar(found.person, found.person), element('span.payment-row__name', {}, found.person)),
      element('span.case-row__what', {}, element('span.strong', {}, reasonOf(found)), element('span.small.secondary', {}, `${subjectOf(found.subject_kind)} ${found.kind === 'rule' ? '· found by a rule' : ''}`.trim())),
      element('span.case-row__when.small.secondary', {}, momentOf(found.opened_at_ms)),
      element('span.state', { data: { tone } }, text),
    );
    button.addEventListener('click', () => this.opened(found.id));
    return button;
  }
}
