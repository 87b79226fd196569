/** Who is on stage, who watches, who gives most, and whether we are connected. */

import { RollingNumber } from '../roll.js';
import { avatar, element, fill, find, inCoins, written } from './find.js';

const WORDS = { open: 'Connected', connecting: 'Connecting…', waiting: 'Reconnecting…', closed: 'Disconnected' };

export class TopBar {
  #viewers = new RollingNumber(find('.audience__count'), compact);

  /** @param {{creator: {id: string, name: string}, title: string, live: boolean}} room */
  room({ creator, title, live }) {
    fill(find('.host__name'), creator.name);
    fill(find('.host__title'), title);
    find('.live').hidden = !live;
    const face = avatar(creator.id, creator.name);
    face.classList.add('host__avatar');
    find('.host__avatar').replaceWith(face);
    document.title = `${creator.name} · ${title || 'Live'}`;
  }

  viewers(count) {
    this.#viewers.set(count);
  }

  /** @param {{id: string, name: string, coins: number}[]} items most generous first; three are shown */
  top(items) {
    const faces = items.slice(0, 3).map(({ id, name, coins }, i) => {
      const label = `${i + 1}. ${name}, ${inCoins(coins)}`;
      const face = avatar(id, name);
      return element('li.supporter', { title: label, data: { place: String(i + 1) } }, face, element('span.visually-hidden', {}, label));
    });
    fill(find('.supporters'), ...faces);
  }

  connection(state) {
    const pill = find('.connection');
    pill.dataset.state = state;
    pill.textContent = WORDS[state];
  }
}

function compact(count) {
  return count < 10_000 ? written(count) : `${(count / 1000).toFixed(1)}K`;
}
