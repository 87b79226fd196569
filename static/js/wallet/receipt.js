import { coinArt, giftArt } from '../ui/art.js';
import { sheet } from '../ui/dialog.js';
import { element, fill } from '../ui/element.js';
import { count, counted, signed } from '../ui/numbers.js';
import { exactTime } from '../ui/times.js';
import { copyButton } from '../ui/copy.js';
import { reportButton } from './report.js';
import { creatorOf, recipientOf, roomOf, titleOf } from './entry_words.js';

const STATES = {
  accepted: {
    title: 'Accepted',
    text: 'The coins left your wallet and the gift is on its way into the permanent books. This takes about a second.',
  },
  settled: { title: 'Settled', text: 'Written in the permanent books. It cannot be changed or lost.' },
  refunded: { title: 'Given back', text: 'The room had closed before this gift arrived. Its coins are in your wallet again.' },
};

/**
 * Open the receipt of one statement entry. The state of a gift is asked from the server by its key; an entry without
 * a key is a credit, and stands in the durable statement already, which is what "settled" means.
 */
export function openReceipt(entry, { session, names, rooms, reported }) {
  const state = element('div.receipt__state', { role: 'status' });
  const art = entry.gift !== null ? giftArt(names, entry.gift, 72) : coinArt();
  const title = [titleOf(entry, names), recipientOf(entry, rooms)].filter(Boolean).join(entry.kind === 'refund' ? ': ' : ' ');
  const body = element(
    'div.receipt',
    {},
    element(
      'div.receipt__face',
      {},
      art,
      element('p.receipt__title', {}, title),
      element('p.receipt__amount', { data: { sign: entry.amount_coins > 0 ? 'plus' : 'minus' } }, `${signed(entry.amount_coins)} `, element('span.receipt__unit', {}, Math.abs(entry.amount_coins) === 1 ? 'coin' : 'coins')),
    ),
    state,
    facts(entry, rooms),
    entry.kind === 'gift' && element('div.receipt__report', {}, reportButton({ session, subject: { kind: 'gift', id: entry.transfer }, reported })),
  );
  if (entry.key === null) showState(state, 'settled');
  else checkState(entry, session, state);
  const dialog = sheet({ title: 'Receipt', body: [body] });
  dialog.classList.add('sheet--receipt');
}

async function checkState(entry, session, host) {
  fill(host, element('p.small.secondary', {}, 'Checking the state…'));
  try {
    const gift = await session.get(`/v1/gifts/${encodeURIComponent(entry.key)}`);
    showState(host, gift.state);
  } catch (error) {
    // Keys are forgotten after a while; the entry being in the statement is proof enough then.
    if (error.status === 404) showState(host, 'settled');
    else fill(host, element('p.small', {}, `The state is not known right now. ${error.message}`));
  }
}

function showState(host, reached) {
  const order = reached === 'refunded' ? ['accepted', 'settled', 'refunded'] : ['accepted', 'settled'];
  const steps = order.map((name) =>
    element('li.step', { data: { done: String(order.indexOf(name) <= order.indexOf(reached)) } }, element('span.step__dot', {}), STATES[name].title),
  );
  fill(host, element('ol.steps', { 'aria-hidden': 'true' }, ...steps), element('p.small.secondary', {}, element('span.strong', {}, `${STATES[reached].title}. `), STATES[reached].text));
}

function facts(entry, rooms) {
  const rows = [
    ['When', exactTime(entry.at_ms)],
    entry.gift !== null && ['Quantity', count(entry.quantity ?? 1)],
    entry.creator && ['Creator', creatorOf(entry, rooms)],
    entry.room && ['Room', roomOf(entry, rooms)],
    ['Balance after', counted(entry.balance_coins, 'coin')],
  ].filter(Boolean);
  const list = element('dl.facts', {}, ...rows.map(([term, value]) => element('div.fact', {}, element('dt', {}, term), element('dd', {}, value))));
  list.append(reference('Transfer', entry.transfer));
  if (entry.key) list.append(reference('Key', entry.key));
  return list;
}

function reference(term, value) {
  return element('div.fact', {}, element('dt', {}, term), element('dd.fact__reference', {}, element('code', {}, value), copyButton(value, `Copy the ${term.toLowerCase()} number`)));
}
