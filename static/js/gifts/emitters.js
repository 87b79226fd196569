// Emitters: data in a recipe, compiled into what the pool of particles takes.

import { ADDED_SHAPES } from './shapes.js';

const DEGREES = Math.PI / 180;
const pair = (value, otherwise) => (value === undefined ? otherwise : Array.isArray(value) ? value : [value, value]);

/** A compiled emitter. `images` are the pictures its particles are drawn with. */
export function compile(spec, shapes, images = null) {
  const [speed0, speed1] = pair(spec.speed, [.1, .3]);
  const [life0, life1] = pair(spec.life, [.6, 1.2]);
  const [size0, size1] = pair(spec.size, [.015, .03]);
  const tumbling = ['petal', 'leaf', 'feather', 'confetti', 'ribbon'].includes(spec.shape);
  return {
    from: spec.at?.[0] ?? 0,
    to: spec.at?.[1] ?? 0,
    rate: spec.rate ?? 0,
    burst: spec.burst ?? 0,
    place: spec.place ?? [.5, .5],
    area: spec.area ?? [0, 0],
    follow: spec.follow ?? null,
    speed0, speed1, life0, life1, size0, size1,
    angle: (spec.angle ?? -90) * DEGREES,
    spread: (spec.spread ?? 360) * DEGREES,
    gravity: spec.gravity ?? 0,
    drag: spec.drag ?? 0,
    spin: (spec.spin ?? (tumbling ? 200 : 0)) * DEGREES,
    turned: spec.turned ?? (tumbling || spec.shape === 'shard' || images !== null),
    headed: spec.shape === 'streak',
    grow: spec.grow ?? 1,
    alpha: spec.alpha ?? 1,
    sway: spec.sway ?? 0,
    sway_hz: spec.sway_hz ?? .6,
    flutter: spec.flutter ?? (tumbling ? 7 : 0),
    added: spec.added ?? ADDED_SHAPES.includes(spec.shape),
    back: spec.back ?? false,
    images: images ?? (spec.colours ?? ['#ffffff']).map(colour => shapes.get(spec.shape ?? 'spark', colour)),
  };
}
