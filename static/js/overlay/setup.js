/** Setup mode (?setup=1): guides, what the overlay is doing, and test gifts that only this page sees. */

import { element, fill } from '../ui/element.js';
import { TIERS } from '../viewer/catalog.js';

const REFRESH_MS = 500;
const STATES = { connecting: 'Connecting…', open: 'Connected', waiting: 'Trying again…', closed: 'Closed, trying again…' };

/**
 * @param {{client: () => object|null, shown: () => object|null, problem: () => Error|null, layer: object, catalog: object,
 *   options: object, test: (push: object) => void}} page
 */
export function openSetup({ client, shown, problem, layer, catalog, options, test }) {
  const facts = element('dl.setup__facts');
  const hint = element('p.setup__hint', { role: 'status', hidden: true });
  const frames = new FrameTimes();
  const buttons = TIERS.map(({ id, label }) => {
    const button = element('button.chip', { type: 'button', data: { test: id } }, label);
    button.addEventListener('click', () => test(testGift(catalog, id)));
    return button;
  });
  document.body.prepend(element(
    'div.setup', { 'aria-hidden': 'true' },
    element('div.setup__guides', {}), guide('safe', 'Safe area'), guide('lanes', 'Gift lanes'), guide('middle', ''),
  ));
  document.body.append(element(
    'section.setup__panel', { 'aria-label': 'Overlay setup' },
    element('h1', {}, 'Overlay setup'), hint, facts,
    element('p.small.secondary', {}, 'Try it: nobody else sees these, and no coins move.'),
    element('div.setup__tests', {}, ...buttons),
    element('p.tiny.secondary', {}, 'Remove setup=1 from the address when everything stands where you want it.'),
  ));
  const refresh = () => {
    const { stats } = layer;
    fill(facts, ...rows({
      State: pill(client()?.state ?? 'waiting'),
      Room: options.room ?? '…',
      'Gifts received': (client()?.totals.quantity ?? 0).toLocaleString('en-US'),
      'Shown and reported': (shown()?.count ?? 0).toLocaleString('en-US'),
      'Waiting to be shown': stats?.queued ?? 0,
      'Frame time': `${frames.typical_ms.toFixed(1)} ms typical, ${frames.slowest_ms.toFixed(1)} ms slowest`,
      'Particles alive': stats?.particlesAlive ?? 0,
      Size: `${innerWidth} × ${innerHeight}${innerWidth === 1920 && innerHeight === 1080 ? '' : ' (made for 1920 × 1080)'}`,
      Options: `lanes ${options.lanes} · from ${options.minCoins} coins · volume ${options.volume} · scale ${options.scale} · ${options.quality} · ${options.theme}`,
    }));
    const words = hintFor(problem(), client()?.state ?? 'waiting');
    hint.hidden = words === null;
    hint.textContent = words ?? '';
  };
  setInterval(refresh, REFRESH_MS);
  refresh();
}

/** What to do about it, in words; null when nothing is wrong. */
export function hintFor(problem, state) {
  if (problem?.status === 401 || problem?.status === 403) {
    return 'This link is no longer valid: a new one was made in the studio. Copy the new address from there into your streaming program.';
  }
  if (problem !== null) return `${problem.message} This page goes on trying by itself.`;
  if (state === 'waiting') return 'The server cannot be reached right now. This page goes on trying by itself.';
  return null;
}

function testGift(catalog, tier) {
  const choice = catalog.tier(tier);
  const gift = choice[Math.floor(Math.random() * choice.length)];
  return { gift: gift.id, sender: { id: 'test', name: 'Test Viewer' }, quantity: 1, coins: gift.coins };
}

function rows(facts) {
  return Object.entries(facts).flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]);
}

function pill(state) {
  return element('span.pill', { data: { state } }, STATES[state]);
}

function guide(name, label) {
  return element(`div.setup__guide.setup__guide--${name}`, {}, label && element('span', {}, label));
}

/** Times between the last 120 frames of this page. */
class FrameTimes {
  #times = [];

  constructor() {
    let before = performance.now();
    const frame = (now) => {
      this.#times.push(now - before);
      before = now;
      if (this.#times.length > 120) this.#times.shift();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  get typical_ms() {
    return [...this.#times].sort((a, b) => a - b)[Math.floor(this.#times.length / 2)] ?? 0;
  }

  get slowest_ms() {
    return Math.max(0, ...this.#times);
  }
}
