import { Dots } from '../ui/dots.js';
import { endedUnpaid } from './order_words.js';

const DOTS = [
  ['created', 'Created'],
  ['authorised', 'Authorised'],
  ['succeeded', 'Captured'],
  ['credited', 'Credited'],
];
/** state → the last dot that is reached. */
const REACHED = { created: 0, pending: 0, requires_action: 0, authorised: 1, succeeded: 2, credited: 3, partially_refunded: 3, refunded: 3 };
const ENDED = { refunded: 'Given back', failed: 'Failed', expired: 'Expired', cancelled: 'Cancelled' };

/** An order as four dots. */
export class Timeline {
  #dots = new Dots('How far the order is');

  get node() {
    return this.#dots.node;
  }

  show(payment) {
    this.#dots.show(dotsOf(payment));
  }
}

function dotsOf(payment) {
  const ended = endedUnpaid(payment) || wentBack(payment);
  const reached = reachedOf(payment);
  return DOTS.map(([state, title], place) => {
    if (place <= reached) return { title, at_ms: timeOf(payment, place), standing: 'done' };
    if (place > reached + 1) return { title, at_ms: null, standing: 'later' };
    return ended
      ? { title: ENDED[payment.state], at_ms: stepTime(payment, payment.state), standing: 'ended' }
      : { title, at_ms: null, standing: 'now' };
  });
}

/** The last dot that an order reached; of one that ended, its steps say which. */
function reachedOf(payment) {
  if (wentBack(payment)) return REACHED.succeeded;
  if (endedUnpaid(payment)) return Math.max(0, ...payment.steps.map((step) => REACHED[step.state] ?? 0));
  return REACHED[payment.state] ?? 0;
}

/** Whether the money went back before any coins came. */
function wentBack(payment) {
  return payment.state === 'refunded' && payment.transfer === null;
}

/** When a dot was reached: a step that nobody told of was reached at the latest with the next one. */
function timeOf(payment, place) {
  if (place === 0) return payment.created_at_ms;
  const times = DOTS.slice(place).map(([state]) => stepTime(payment, state));
  return times.find((at_ms) => at_ms !== null) ?? null;
}

function stepTime(payment, state) {
  return payment.steps.find((step) => step.state === state)?.at_ms ?? null;
}
