// Sprites: pictures that move along a path. Where one is depends only on the moment, never on the frame before.

import { along, EASINGS, keyed, smooth } from './easing.js';

const RADIANS = Math.PI / 180;

/** The instances of a sprite: one, or a swarm scattered by the scene's seed. */
export function makeSprite(spec, bitmap, random) {
  const swarm = spec.swarm ?? { count: 1 };
  const size = swarm.size ?? [1, 1];
  const members = Array.from({ length: swarm.count }, (_, i) => ({
    dx: (random() - .5) * (swarm.spread?.[0] ?? 0),
    dy: (random() - .5) * (swarm.spread?.[1] ?? 0),
    late: swarm.count > 1 ? (swarm.stagger ?? 0) * (swarm.ordered ? i / (swarm.count - 1) : random()) : 0,
    size: size[0] + (size[1] - size[0]) * random(),
    phase: random() * 6.283,
    angle: i / swarm.count * 6.283,
  }));
  members.sort((a, b) => (swarm.size ? a.size - b.size : 0));
  return {
    spec, bitmap, members,
    at: spec.at ?? [0, 1],
    path: spec.path,
    ease: EASINGS[spec.ease ?? 'sway'],
    scale: spec.scale ?? [[0, 1]],
    turn: spec.turn ?? [[0, 0]],
    fade: spec.fade ?? [.12, .12],
    stagger: swarm.stagger ?? 0,
    place: { x: 0, y: 0, size: 0, turn: 0, alpha: 0, heading: 0, flap: 1 },
  };
}

/** Put the place of one member at moment `t` (0..1 of the scene) into `sprite.place`; false when it is not on. */
export function locate(sprite, member, t, t_s, stage, toX, toY) {
  const { spec, place, at } = sprite;
  const span = (at[1] - at[0]) * (1 - sprite.stagger);
  const u = (t - at[0] - member.late * (at[1] - at[0])) / span;
  if (u < 0 || u > 1) return false;
  const p = sprite.ease(u);
  let x = along(sprite.path, 0, p) + member.dx, y = along(sprite.path, 1, p) + member.dy;
  x = toX(x); y = toY(y);
  let angle = member.angle;
  if (spec.orbit) {
    const [rx, ry, turns, grow] = spec.orbit;
    angle += turns * 6.283 * u;
    const reach = grow ? smooth(u * grow) : 1;
    x += Math.cos(angle) * rx * stage.unit * reach;
    y += Math.sin(angle) * ry * stage.unit * reach;
  }
  if (spec.bob) {
    const [high, hz] = spec.bob;
    y += Math.sin(t_s * hz * 6.283 + member.phase) * high * stage.unit;
    x += Math.cos(t_s * hz * 4.1 + member.phase) * high * .4 * stage.unit;
  }
  if (spec.lift) y -= keyed(spec.lift, u) * stage.unit;
  place.x = x; place.y = y;
  place.heading = Math.atan2(
    toY(along(sprite.path, 1, Math.min(1, p + .02))) - toY(along(sprite.path, 1, Math.max(0, p - .02))),
    toX(along(sprite.path, 0, Math.min(1, p + .02))) - toX(along(sprite.path, 0, Math.max(0, p - .02))));
  place.turn = keyed(sprite.turn, u) * RADIANS + (spec.face ? place.heading + (spec.face_deg ?? 0) * RADIANS : 0);
  if (spec.fan) place.turn += angle + Math.PI / 2;
  if (spec.sway) place.turn += Math.sin(t_s * spec.sway[1] * 6.283 + member.phase) * spec.sway[0] * RADIANS;
  place.size = spec.size * stage.unit * keyed(sprite.scale, u) * member.size;
  if (spec.pulse) place.size *= 1 + spec.pulse[0] * Math.sin(t_s * spec.pulse[1] * 6.283 + member.phase);
  place.flap = spec.flap ? .35 + .65 * Math.abs(Math.sin(t_s * spec.flap * 3.1416 + member.phase)) : 1;
  const [into, out] = sprite.fade;
  place.alpha = (spec.alpha ?? 1) * (into ? smooth(u / into) : 1) * (out ? smooth((1 - u) / out) : 1);
  return place.alpha > .004;
}

export function drawSprite(ctx, sprite, scale) {
  const { place, bitmap, spec } = sprite;
  const { canvas, pad } = bitmap;
  const longest = Math.max(canvas.width, canvas.height) / (1 + 2 * pad);
  const k = place.size / longest * scale;
  const flap = place.flap;
  const cos = Math.cos(place.turn) * k, sin = Math.sin(place.turn) * k, flip = (spec.flip ? -1 : 1) * flap;
  ctx.globalAlpha = place.alpha;
  ctx.globalCompositeOperation = spec.added ? 'lighter' : 'source-over';
  ctx.setTransform(cos * flip, sin * flip, -sin, cos, place.x * scale, place.y * scale);
  ctx.drawImage(canvas, -canvas.width / 2, -canvas.height / 2);
}
