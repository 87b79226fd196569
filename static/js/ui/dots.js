import { element, fill } from './element.js';
import { clockTime, DAY_MS, dayName } from './times.js';

const SAID = { done: 'done', now: 'now', ended: 'it ended here', later: 'not yet' };

/** Something as a row of dots. What was reached is bright, what is waited for pulses, and an end stands where it came. */
export class Dots {
  #drawn = '';

  /** @param {string} label what the dots tell, for who does not see them */
  constructor(label) {
    this.node = element('ol.timeline', { 'aria-label': label });
  }

  /** @param {{title: string, at_ms: number|null, standing: "done"|"now"|"ended"|"later"}[]} dots in order */
  show(dots) {
    const drawn = JSON.stringify(dots);
    if (drawn === this.#drawn) return; // a dot that is made anew would begin its pulse again
    this.#drawn = drawn;
    fill(this.node, ...dots.map(draw));
  }
}

function draw({ title, at_ms, standing }) {
  return element(
    'li.timeline__step',
    { data: { standing }, 'aria-current': standing === 'now' && 'step' },
    element('span.timeline__dot', {}),
    element('span.timeline__title', {}, title, element('span.visually-hidden', {}, `, ${SAID[standing]}`)),
    at_ms === null
      ? element('span.timeline__time', { 'aria-hidden': 'true' }, '·')
      : element('time.timeline__time', { datetime: new Date(at_ms).toISOString() }, shortMoment(at_ms)),
  );
}

function shortMoment(atMs) {
  return Date.now() - atMs < DAY_MS ? clockTime(atMs) : dayName(atMs);
}
