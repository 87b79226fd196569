import { element, fill } from '../ui/element.js';
import { count } from '../ui/numbers.js';
import { deadlineOf } from './order_words.js';

const PRETEND = 'Pretend money: nothing real is charged.';

/** What comes on top by itself: a title, what it gives, for whom, and until when. */
export function drawOffers(host, offers) {
  host.hidden = offers.length === 0;
  fill(host, ...offers.map(offer));
}

function offer({ title, bonus_percent, bonus_coins_max, first_purchase, ends_at_ms }) {
  const words = [
    `${bonus_percent} % more coins, ${count(bonus_coins_max)} at most.`,
    first_purchase ? 'Once, with the first coins that you buy.' : 'Once for each person.',
    ends_at_ms !== null && `Until ${deadlineOf(ends_at_ms)}.`,
  ].filter(Boolean);
  return element('li.offer', {}, element('p.offer__title', {}, title), element('p.small.secondary', {}, words.join(' ')));
}

/** Ways to pay: a choice where there are several, a line where there is one. */
export class Ways {
  /** @param {HTMLElement} host a fieldset */
  constructor(host) {
    this.host = host;
  }

  /** @param {{id: string, title: string, methods: string[], live: boolean}[]} providers */
  draw(providers) {
    const before = this.chosen;
    const several = providers.length > 1;
    const rows = providers.map((provider, place) => way(provider, several, before === undefined ? place === 0 : provider.id === before));
    fill(this.host, element('legend.ways__title', {}, several ? 'How to pay' : 'You pay with'), ...rows);
    if (several && this.chosen === undefined) this.host.querySelector('input').checked = true;
  }

  /** Id of the provider, or undefined. */
  get chosen() {
    return this.host.querySelector('input:checked, input[type=hidden]')?.value;
  }
}

function way({ id, title, methods, live }, several, checked) {
  const name = element('span.way__title', {}, title);
  const how = element('span.small.secondary', {}, methods.join(', '));
  const note = !live && element('span.way__pretend.small', {}, PRETEND);
  const input = several
    ? element('input.pack__radio', { type: 'radio', name: 'way', id: `way-${id}`, value: id, checked })
    : element('input', { type: 'hidden', name: 'way', value: id });
  const face = several ? element('label.pack__face.way__face', { for: `way-${id}` }, name, how, note) : element('div.way__face', {}, name, how, note);
  return element('div.way', {}, input, face);
}
