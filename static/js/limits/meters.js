import { element, fill } from '../ui/element.js';
import { count, counted } from '../ui/numbers.js';
import { KINDS, clockWords, leftWords, sourceWords } from './words.js';

/**
 * What holds, how much of it is used by gifts and by orders, what is left, and when it begins anew.
 *
 * @param {HTMLElement} host @param {object} answer of /v1/limits
 * @param {{guardian: string, own: string}} whose words for whose limit it is
 */
export function drawMeters(host, answer, whose) {
  const rows = answer.limits.map((limit) => meter(limit, answer.zone, whose));
  const clock = clockWords(answer);
  fill(host, element('ul.meters', {}, ...rows), clock !== '' && element('p.tiny.secondary', {}, clock));
}

function meter(limit, zone, whose) {
  const { title, now } = KINDS[limit.kind];
  const source = sourceWords(limit, whose);
  const spent = limit.kind === 'gift' ? [] : [gauge('Gifts sent', now, limit, limit.sent_coins)];
  if (limit.bought_coins !== null) spent.push(gauge('Coins bought or ordered', now, limit, limit.bought_coins));
  const words = limit.kind === 'gift' || limit.coins === null ? '' : leftWords(limit, zone);
  return element(
    'li.meter', { data: { kind: limit.kind } },
    element(
      'p.meter__head', {},
      element('span.meter__title', {}, title),
      element('span.meter__most', { data: { none: String(limit.coins === null) } }, limit.coins === null ? 'No limit' : counted(limit.coins, 'coin')),
    ),
    source !== '' && element('p.meter__source.tiny.secondary', {}, source),
    ...spent,
    words !== '' && element('p.meter__left.small.secondary', {}, words),
  );
}

/** One bar; without a limit only the number, and words where it is not counted. */
function gauge(name, now, limit, used) {
  const unknown = limit.coins === null ? 'counted once there is a limit' : 'not known right now';
  const told = used === null ? unknown : limit.coins === null ? count(used) : `${count(used)} of ${count(limit.coins)}`;
  const words = element('p.gauge__words.small', {}, element('span', {}, name), element('span.gauge__used', {}, told));
  if (used === null || limit.coins === null) return element('div.gauge', {}, words);
  const share = limit.coins === 0 ? 1 : Math.min(1, used / limit.coins);
  const filled = element('span.gauge__filled', {});
  filled.style.setProperty('--share', String(share));
  const track = element(
    'div.gauge__track',
    {
      role: 'meter', 'aria-label': limit.kind === 'session' ? name : `${name} ${now}`, 'aria-valuemin': 0,
      'aria-valuemax': Math.max(1, limit.coins), 'aria-valuenow': Math.min(used, limit.coins), 'aria-valuetext': `${told} coins`,
      data: { tone: share >= 1 ? 'full' : share >= 0.8 ? 'close' : 'calm' },
    },
    filled,
  );
  return element('div.gauge', {}, words, track);
}
