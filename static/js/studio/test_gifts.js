import { giftArt } from '../ui/art.js';
import { element, fill } from '../ui/element.js';
import { compact } from '../ui/numbers.js';
import { wireTabs } from '../ui/tabs.js';
import { toast } from '../ui/toast.js';
import { TIERS } from '../viewer/catalog.js';


/** A gift of every tier at a press: it plays in the preview and on the overlay, and moves no coins. */
export class TestGifts {
  /** @param {{session: Session, names: GiftNames, path: string}} parts */
  constructor({ session, names, path }) {
    this.session = session;
    this.names = names;
    this.path = path;
    this.host = document.getElementById('test-gifts');
    this.panel = element('div.tests__grid.scroll', { role: 'tabpanel', id: 'test-panel', tabindex: '0' });
    const tiers = TIERS.filter(({ id }) => names.inTier(id).length > 0);
    const tabs = tiers.map(({ id, label }, index) =>
      element('button.tab', { type: 'button', role: 'tab', id: `test-${id}`, 'aria-controls': 'test-panel', 'aria-selected': String(index === 0), tabindex: index === 0 ? '0' : '-1', data: { tier: id } }, label),
    );
    const list = element('div.tabs.tests__tiers', { role: 'tablist', 'aria-labelledby': 'test-title' }, ...tabs);
    const select = wireTabs(list, (tab) => this.#draw(tab));
    fill(this.host, list, this.panel);
    if (tabs.length > 0) select(tabs[0]);
    else fill(this.host, element('p.small.secondary', {}, 'The gift catalogue is empty.'));
  }

  close() {
    fill(this.host);
  }

  #draw(tab) {
    this.panel.setAttribute('aria-labelledby', tab.id);
    this.panel.dataset.tier = tab.dataset.tier;
    fill(this.panel, ...this.names.inTier(tab.dataset.tier).map((gift) => this.#button(gift)));
    this.panel.scrollTop = 0;
  }

  #button(gift) {
    const name = this.names.name(gift.id);
    const button = element(
      'button.test',
      { type: 'button', data: { gift: gift.id } },
      giftArt(this.names, gift.id),
      element('span.test__name', {}, element('span.visually-hidden', {}, 'Test '), name),
      element('span.test__price.tiny.secondary', {}, element('span.coin-mark', { 'aria-hidden': 'true' }), ` ${compact(gift.coins)}`, element('span.visually-hidden', {}, ' coins')),
    );
    button.addEventListener('click', () => this.#send(gift, name));
    return button;
  }

  async #send(gift, name) {
    try {
      await this.session.post(`${this.path}/test-gift`, { gift: gift.id });
    } catch (error) {
      toast(`${name} was not tested. ${error.message}`, {
        tone: 'bad',
        action: { label: 'Try again', run: () => this.#send(gift, name) },
      });
    }
  }
}
