import { giftArt } from '../ui/art.js';
import { element, fill } from '../ui/element.js';
import { icon } from '../ui/icons.js';
import { count } from '../ui/numbers.js';
import { ago, exactTime } from '../ui/times.js';

/** One gift in the feed: who, what, how much it earned, whether the overlay showed it, thank, replay. */
export class FeedRow {
  #shown = null;

  /** @param {object} gift a gift push @param {{names: GiftNames, thanked: Thanked, replay: (gift: object) => void}} parts */
  constructor(gift, parts, epoch) {
    this.gift = gift;
    const name = parts.names.name(gift.gift);
    const what = gift.quantity > 1 ? `${name} ×${count(gift.quantity)}` : name;
    const inCombo = gift.combo && gift.combo_quantity > gift.quantity;
    this.state = element('span.row__state');
    this.when = element('time', { datetime: new Date(gift.at_ms).toISOString(), title: exactTime(gift.at_ms) });
    this.node = element(
      'li.row',
      { data: { offset: gift.offset, tier: parts.names.tier(gift.gift) } },
      giftArt(parts.names, gift.gift),
      element(
        'div.row__what',
        {},
        element('p.row__line', {}, element('span.strong', {}, gift.sender.name), ' sent ', element('span.row__gift', {}, what)),
        element('p.row__under.tiny.secondary', {}, this.when, this.state, inCombo && element('span', {}, `combo ×${count(gift.combo_quantity)}`)),
        gift.note && element('p.row__note.small', {}, `“${gift.note}”`),
      ),
      element(
        'p.row__diamonds.diamonds',
        {},
        element('span.visually-hidden', {}, 'earned '),
        count(gift.diamonds),
        element('span.diamond-mark', { 'aria-hidden': 'true' }),
        element('span.visually-hidden', {}, ' diamonds'),
      ),
      element('div.row__actions', {}, thankButton(gift, parts.thanked, epoch), replayButton(gift, name, parts.replay)),
    );
    this.age();
  }

  age() {
    const words = ago(this.gift.at_ms);
    if (this.when.textContent !== words) this.when.textContent = words;
  }

  /** It was given back to its sender. */
  refunded() {
    if (this.node.dataset.refunded === 'true') return;
    this.node.dataset.refunded = 'true';
    this.node.querySelector('.row__under').append(element('span.row__refunded', {}, 'Given back: the room had closed'));
  }

  /** Has an overlay shown it? */
  shown(shown) {
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.node.dataset.shown = String(shown);
    fill(this.state, icon(shown ? 'check' : 'clock'), shown ? 'Shown' : 'Not yet shown');
  }
}

function thankButton(gift, thanked, epoch) {
  const button = element('button.icon-button.row__thank', { type: 'button' }, icon('heart'));
  const draw = (done) => {
    button.setAttribute('aria-pressed', String(done));
    button.setAttribute('aria-label', `Thanked ${gift.sender.name}`);
    button.title = done ? `You thanked ${gift.sender.name}` : `Tick when you have thanked ${gift.sender.name}. Only you see this.`;
  };
  draw(thanked.has(epoch, gift.offset));
  button.addEventListener('click', () => draw(thanked.toggle(epoch, gift.offset)));
  return button;
}

function replayButton(gift, name, replay) {
  const label = `Replay ${name} from ${gift.sender.name} in the preview`;
  const button = element('button.icon-button', { type: 'button', 'aria-label': label, title: label }, icon('play'));
  button.addEventListener('click', () => replay(gift));
  return button;
}
