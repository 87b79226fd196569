import { counted, signed } from '../ui/numbers.js';

const STATES = { proposed: ['Waits for a second person', 'wait'], approved: ['Booked', 'good'], rejected: ['Rejected', 'plain'] };

/** "Booked" and a tone. */
export function standOf({ state }) {
  const [text, tone] = STATES[state] ?? [state, 'plain'];
  return { text, tone };
}

/** "+30 coins for ana": what moves. */
export function moveOf({ coins, user }) {
  return coins > 0 ? `Give ${counted(coins, 'coin')} to ${user}` : `Take ${counted(-coins, 'coin')} from ${user}`;
}

/** One adjustment on one line, for the case that it belongs to. */
export function adjustmentLine(one) {
  return `${signed(one.coins)} coins: ${one.reason} (${standOf(one).text.toLowerCase()})`;
}

/** What somebody typed as coins: "30" gives, "-30" takes. `{coins}` or `{wrong}`. */
export function coinsOf(text, most) {
  const plain = text.trim().replace('−', '-');
  if (!/^[+-]?\d{1,9}$/.test(plain)) return { wrong: 'Write a whole number: 30 gives, -30 takes.' };
  const coins = Number(plain);
  if (coins === 0) return { wrong: 'Write more than nothing.' };
  return Math.abs(coins) > most ? { wrong: `At most ${counted(most, 'coin')} at once.` } : { coins };
}
