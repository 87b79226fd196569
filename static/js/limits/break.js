import { ask } from '../ui/dialog.js';
import { element, fill } from '../ui/element.js';
import { dayAndClock } from '../ui/moments.js';
import { onPress } from './press.js';

const HOUR_MS = 3_600_000;
const BREAKS = [
  { hours: 24, name: '24 hours' },
  { hours: 7 * 24, name: '7 days' },
  { hours: 30 * 24, name: '30 days' },
];

/** A time without sending and buying: it can be begun and made longer, never ended. */
export class Break {
  #told = '';

  /** @param {{who: string|null, take: (hours: number) => Promise<void>}} parts `who` takes it; null is the reader */
  constructor({ who, take }) {
    this.who = who;
    this.take = take;
    this.node = element('div.break');
  }

  update({ break_until_ms: until, zone }) {
    const told = JSON.stringify([until, zone]);
    if (told === this.#told) return;
    this.#told = told;
    const longer = BREAKS.filter(({ hours }) => until === null || Date.now() + (hours - 1) * HOUR_MS > until);
    const words = until === null ? 'Nothing can be sent or bought meanwhile. It cannot be undone.' : 'It can be made longer, not shorter.';
    const buttons = longer.map((one) => onPress(element('button.button.button--quiet', { type: 'button' }, one.name), () => this.#asked(one, zone)));
    fill(this.node, element('p.small.secondary', {}, words), element('div.break__choices', {}, ...buttons));
  }

  async #asked({ hours, name }, zone) {
    const until = dayAndClock(Date.now() + hours * HOUR_MS, zone);
    const sure = await ask({
      title: this.who === null ? `Take a break of ${name}?` : `Have ${this.who} take a break of ${name}?`,
      text: `Until ${until} ${this.who === null ? 'you' : 'they'} can send and buy nothing. This cannot be undone: a break can be made longer, never shorter.`,
      yes: this.who === null ? 'Take the break' : 'Begin the break',
      no: 'Not now',
    });
    if (sure) await this.take(hours);
  }
}

/** What stands above everything while there is a break; empty when there is none. */
export function drawBreak(host, { break_until_ms: until, zone }, who) {
  host.hidden = until === null;
  const words = until === null ? '' : `${who} taking a break until ${dayAndClock(until, zone)}.`;
  if (host.textContent !== words) host.textContent = words;
}
