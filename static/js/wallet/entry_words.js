const TITLES = {
  top_up: 'Coins added',
  grant: 'Coins given to you',
  recharge: 'Coins bought',
  reversal: 'Taken back',
  refund: 'Coins given back',
  claim_open: 'Set aside: a payment is claimed back',
  claim_repaid: 'Paid what was owed',
  claim_won: 'Given back: the claim is over',
  adjustment: 'Corrected by hand',
};

/** What coins that were set aside became, once that is decided. */
const BECAME = { lost: 'Taken back: the payment for them went back', won: 'Set aside for a while: a claim that is over' };

/** "Lantern Fly ×3" for a gift, "Coins bought" for a recharge, and a tidied kind for what this page has not met. */
export function titleOf(entry, names) {
  if (entry.gift === null) return BECAME[entry.claim] ?? TITLES[entry.kind] ?? tidy(entry.kind);
  const name = names.name(entry.gift);
  const what = entry.quantity > 1 ? `${name} ×${entry.quantity}` : name;
  return entry.kind === 'refund' ? `${what} given back` : what;
}

/** What a total of a month is of: "Gifts sent", "Coins bought", and a tidied kind for what this page has not met. */
export function kindOf(total) {
  return { gift: 'Gifts sent', refund: 'Gifts given back', bonus: 'Bonus coins' }[total.kind] ?? TITLES[total.kind] ?? tidy(total.kind);
}

/** "to Mira" for a gift, why it came back for a refund, empty for a credit. `rooms` maps room ids to what GET /v1/rooms says. */
export function recipientOf(entry, rooms) {
  if (entry.kind === 'refund') return 'the room had closed';
  if (entry.kind !== 'gift') return '';
  const name = creatorOf(entry, rooms);
  return name ? `to ${name}` : '';
}

/** The creator's name where the room tells it, the id where not. */
export function creatorOf(entry, rooms) {
  const room = rooms.get(entry.room);
  return room && room.creator.id === entry.creator ? room.creator.name : entry.creator;
}

/** The title of the room where it is known, its id where not, empty when there is none. */
export function roomOf(entry, rooms) {
  return rooms.get(entry.room)?.title ?? entry.room ?? '';
}

function tidy(kind) {
  const words = String(kind).replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
