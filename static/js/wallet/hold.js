import { element, fill } from '../ui/element.js';
import { count, counted } from '../ui/numbers.js';

/** A calm word above the store while the wallet is on hold: why, what is set aside, and what is owed. */
export class Hold {
  #told = '';

  constructor() {
    this.node = element('div.hold', { role: 'status', hidden: true });
    document.getElementById('store').before(this.node);
  }

  hide() {
    this.#told = '';
    this.node.hidden = true;
    fill(this.node);
  }

  /** @param {{on_hold: boolean|null, frozen_coins: number|null, owed_coins: number|null}} wallet null is not known: what stands, stays */
  show({ on_hold, frozen_coins, owed_coins }) {
    if (on_hold === false) return this.hide();
    if (on_hold !== true) return;
    const [title, ...sentences] = wordsOf(frozen_coins ?? 0, owed_coins ?? 0);
    const told = [title, ...sentences].join('\n');
    if (told === this.#told) return; // the same words again would be read aloud again
    this.#told = told;
    this.node.hidden = false;
    fill(this.node, element('p.hold__title', {}, title), ...sentences.map((text) => element('p.small', {}, text)));
  }
}

function wordsOf(frozen, owed) {
  return [
    titleOf(frozen, owed),
    frozen > 0 && `${counted(frozen, 'coin')} ${frozen === 1 ? 'is' : 'are'} set aside until it is decided.`,
    owed > 0 && `You owe ${count(owed)} ${owed === 1 ? 'coin that was' : 'coins that were'} spent and not paid for. Coins that you buy pay this first.`,
  ].filter(Boolean);
}

/** Coins are set aside for a payment; a hold of a case sets none aside, and what is owed says itself why. */
function titleOf(frozen, owed) {
  if (frozen > 0) return 'Your wallet is on hold: a payment is being looked at';
  return owed > 0 ? 'Your wallet is on hold' : 'Your wallet is on hold while something is looked at. Your coins are safe.';
}
