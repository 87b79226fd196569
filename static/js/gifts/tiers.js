// The price cut points of the catalogue (giftserver/gifts/catalog.py) and what a tier's animation may last at least.

const CUTS = [[10_000, 'epic'], [1_000, 'full'], [100, 'half'], [10, 'burst'], [0, 'tray']];

export const SHORTEST_MS = Object.freeze({ tray: 3000, burst: 1000, half: 2000, full: 4000, epic: 8000 });

export const UNKNOWN_PICTURE = 'parts/gift-box';

export const tierOf = coins => CUTS.find(([from]) => coins >= from)[1];

/** A gift the catalogue at hand does not know (it is newer than the page): shown plainly, never dropped. */
export function strangeGift(push) {
  const coins = Math.floor(push.coins / Math.max(1, push.quantity)), tier = tierOf(coins);
  return {
    id: push.gift, picture: UNKNOWN_PICTURE, name: { en: push.gift.replaceAll('-', ' ') }, coins, tier, sound: null,
    animation: { recipe: 'plain', duration_ms: SHORTEST_MS[tier] },
  };
}
