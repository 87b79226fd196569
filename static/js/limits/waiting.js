import { element, fill } from '../ui/element.js';
import { onPress } from './press.js';
import { amountWords, limitOf, placeOf, waitingWords } from './words.js';

/**
 * Changes that begin later, each with its time and a button that keeps what holds now.
 *
 * @param {HTMLElement} host @param {object} answer of /v1/limits
 * @param {{scope: "own"|"guardian", other: string, keep: (change: object) => Promise<void>}} parts `scope` whose changes
 *   the reader may take back; `other` says whose the others are; `keep` gets what PUT takes
 */
export function drawWaiting(host, answer, { scope, other, keep }) {
  const waiting = answer.waiting.filter((one) => one.kind !== 'zone' || one.zone !== answer.zone);
  const told = JSON.stringify([waiting, answer.zone, answer.limits.map((one) => [one.own_coins, one.guardian_coins])]);
  host.hidden = waiting.length === 0;
  if (host.dataset.told === told) return;
  host.dataset.told = told;
  const rows = waiting.map((one) => {
    const words = waitingWords(one, answer);
    const said = one.scope === scope ? words : words.replace(/\.?$/, ` (${other}).`);
    return element('li.waiting__row', {}, element('span.small', {}, said), one.scope === scope && keepButton(answer, one, keep));
  });
  fill(
    host,
    element('h3.waiting__title', {}, 'Begins later'),
    element('ul.waiting__rows', {}, ...rows),
    element('p.tiny.secondary', {}, 'A lower limit, set before then, takes its place at once.'),
  );
}

function keepButton(answer, { kind, scope }, keep) {
  const isZone = kind === 'zone';
  const held = isZone ? answer.zone : limitOf(answer, kind)[`${scope}_coins`];
  const button = element('button.button.button--quiet', { type: 'button' }, `Keep ${isZone ? placeOf(held) : amountWords(held, kind, scope, answer)}`);
  return onPress(button, () => keep(isZone ? { zone: held } : { [`${kind}_coins`]: held }));
}
