/** From a tap to a receipt: what is asked before, what is said after, and every way out of a refusal. */

import { sentenceOf, wayOutOf } from '../refusals.js';
import { element, inCoins, price } from './find.js';
import { openSheet } from './sheet.js';

/** A tap dearer than this in all is asked about first: a slip of the thumb must not cost a week's coins. */
export const CONFIRM_ABOVE_COINS = 1_000;

export class Sending {
  #page;

  /**
   * @param {{client: () => object, catalog: () => object, room: () => object, notices: object, ring: object,
   *   money: CoinPrice, wallet: () => Promise<object>, onSent: (gift: object) => void,
   *   acts: Record<string, (gift: object, quantity: number) => void>}} page
   */
  constructor(page) {
    this.#page = page;
  }

  /** Send `quantity` of a gift, asking first when it is dear. */
  async tap(gift, quantity) {
    const { client, catalog, notices } = this.#page;
    const total = gift.coins * quantity;
    const refused = this.#refusedHere(total);
    if (refused !== null) {
      this.#refuse(await this.#because(refused), gift, quantity);
      return;
    }
    if (total > CONFIRM_ABOVE_COINS && !(await this.#confirmed(gift, quantity))) return;
    notices.clear('refusal');
    this.#page.onSent(gift);
    // Dear taps never become a ring: holding it would spend thousands a second.
    if (gift.combo && total <= CONFIRM_ABOVE_COINS) {
      this.#page.ring.tapped(gift, quantity, catalog().art(gift), `${quantity > 1 ? `${quantity} ` : ''}${catalog().name(gift)}`);
    }
    client()
      .sendGift({ gift: gift.id, quantity, priceCoins: gift.coins })
      .catch((error) => error.code !== 'cancelled' && this.#refuse(error, gift, quantity));
  }

  /** Gifts that wait: for the network, or because they came too fast. Said once, with the way to take them back. */
  waiting(entries, state) {
    const { notices, client } = this.#page;
    const late = entries.filter((entry) => entry.state === 'refused' || (state !== 'open' && entry.state === 'queued'));
    if (late.length === 0) {
      notices.clear('waiting');
      return;
    }
    const gifts = late.length === 1 ? 'Your gift goes' : `Your ${late.length} gifts go`;
    const why = state === 'open' ? 'That was very fast.' : 'Reconnecting…';
    const takeBack = { label: 'Take back', primary: false, run: () => late.forEach(({ key }) => client().cancel(key)) };
    notices.say('waiting', `${why} ${gifts} out in a moment.`, [takeBack]);
  }

  /** A gift of before a reload was refused. */
  refusedLate({ gift, quantity, error }) {
    const known = this.#page.catalog().get(gift);
    if (known !== null) this.#refuse(error, known, quantity);
  }

  /** A gift that is not tapped because of a limit: the words and the way out that the server would give. */
  barred(gift, bar) {
    this.#refuse(bar, gift, 1);
  }

  #refusedHere(total) {
    const { client, room } = this.#page;
    if (client().state === 'open' && client().you === null) return { code: 'unauthorized' };
    if (!room().live) return { code: 'room_not_live' };
    if (client().you !== null && client().you.id === room().creator?.id) return { code: 'self_gift' };
    const { shown_coins: shown } = client().balance;
    if (shown !== null && shown < total) return { code: 'insufficient_coins', balance_coins: shown };
    return null;
  }

  /** Coins that are missing may be set aside: nobody on hold is offered more of them. */
  async #because(refused) {
    if (refused.code !== 'insufficient_coins') return refused;
    const wallet = await this.#page.wallet().catch(() => null);
    return wallet?.on_hold ? { code: 'wallet_frozen' } : refused;
  }

  #refuse(error, gift, quantity) {
    const { catalog, room, notices, ring, acts } = this.#page;
    ring.stop(gift.id);
    const { label, act } = wayOutOf(error);
    const words = sentenceOf(error, {
      priceCoins: gift.coins * quantity, giftName: catalog().name(gift), creatorName: room().creator?.name,
    });
    notices.say('refusal', words, [{ label: acts.labels?.[act] ?? label, run: () => acts[act](gift, quantity) }]);
  }

  #confirmed(gift, quantity) {
    const { catalog, room, client, money } = this.#page;
    const total = gift.coins * quantity;
    const name = `${catalog().name(gift)}${quantity > 1 ? ` ×${quantity}` : ''}`;
    const left = client().balance.shown_coins;
    return new Promise((decide) => {
      const yes = element('button.button.button--primary.button--wide.confirm__yes', { type: 'button' }, 'Send it ', price(total), money.tag(total));
      const no = element('button.button.button--quiet.button--wide', { type: 'button' }, 'Not now');
      const sheet = openSheet(`Send ${name}?`, [
        element('div.confirm__stage', { data: { tier: gift.tier } }, element('img.confirm__art', { src: catalog().art(gift), alt: catalog().alt(gift), width: 128, height: 128 })),
        element('p.confirm__words', {}, `For ${room().creator?.name ?? 'the creator'}, and everybody watching sees it.`),
        left === null ? null : element('p.secondary.small', {}, `You keep ${inCoins(left - total)}.`),
        element('div.confirm__actions', {}, yes, no),
      ], { className: 'confirm', onClose: (value) => decide(value === 'yes') });
      yes.addEventListener('click', () => sheet.close('yes'));
      no.addEventListener('click', () => sheet.close());
      no.focus({ focusVisible: false });
    });
  }
}
