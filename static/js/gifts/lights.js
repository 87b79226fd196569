// Lights of a scene: each is drawn as a function of how far its time has gone (u, 0..1).

import { keyed, smooth } from './easing.js';
import { soft } from './colours.js';
import { canvasOf } from './shapes.js';

const RAYS_PX = 384;
const LEVEL = [[0, 0], [.18, 1], [.78, 1], [1, 0]];

function raysBitmap(colour, count) {
  const canvas = canvasOf(RAYS_PX, RAYS_PX), ctx = canvas.getContext('2d'), c = RAYS_PX / 2;
  const fill = ctx.createRadialGradient(c, c, 0, c, c, c);
  fill.addColorStop(0, soft(colour, 62));
  fill.addColorStop(.35, soft(colour, 24));
  fill.addColorStop(1, soft(colour, 0));
  ctx.fillStyle = fill;
  ctx.translate(c, c);
  for (let i = 0; i < count; i += 1) {
    const wide = (i % 3 === 0 ? .5 : .28) * Math.PI / count, at = i * 2 * Math.PI / count;
    ctx.beginPath();
    ctx.moveTo(0, 0);
    ctx.arc(0, 0, c, at - wide, at + wide);
    ctx.translate(-c, -c); ctx.fill(); ctx.translate(c, c);
  }
  return canvas;
}

function beamBitmap(colour) {
  const canvas = canvasOf(256, 96), ctx = canvas.getContext('2d');
  const fill = ctx.createLinearGradient(0, 0, 256, 0);
  fill.addColorStop(0, soft(colour, 75));
  fill.addColorStop(1, soft(colour, 0));
  ctx.fillStyle = fill;
  for (let i = 0; i < 6; i += 1) {
    ctx.globalAlpha = .3;
    ctx.beginPath(); ctx.moveTo(0, 46); ctx.lineTo(256, 6 + i * 6); ctx.lineTo(256, 90 - i * 6); ctx.lineTo(0, 50); ctx.fill();
  }
  return canvas;
}

function sweepBitmap(colour) {
  const canvas = canvasOf(128, 8), ctx = canvas.getContext('2d');
  const fill = ctx.createLinearGradient(0, 0, 128, 0);
  for (const [at, percent] of [[0, 0], [.4, 18], [.5, 46], [.6, 18], [1, 0]]) fill.addColorStop(at, soft(colour, percent));
  ctx.fillStyle = fill;
  ctx.fillRect(0, 0, 128, 8);
  return canvas;
}

const glowDraw = (ctx, light, x, y, size, alpha) => {
  ctx.globalAlpha = alpha;
  ctx.drawImage(light.bitmap, x - size, y - size, 2 * size, 2 * size);
};

const DRAWERS = {
  glow(ctx, light, u, t_s, x, y, size) {
    const breath = 1 + .06 * Math.sin(t_s * 2.1);
    glowDraw(ctx, light, x, y, size * breath, light.alpha * keyed(LEVEL, u));
  },
  ring(ctx, light, u, t_s, x, y, size) {
    const reach = 1 - (1 - u) ** 3;
    glowDraw(ctx, light, x, y, size * (.1 + .9 * reach), light.alpha * (1 - u) * smooth(u * 8));
  },
  bloom(ctx, light, u, t_s, x, y, size) {
    glowDraw(ctx, light, x, y, size, light.alpha * smooth(u * 5) * (1 - u) ** 2);
  },
  rays(ctx, light, u, t_s, x, y, size) {
    ctx.globalAlpha = light.alpha * keyed(LEVEL, u);
    ctx.save();
    ctx.translate(x, y);
    ctx.rotate(t_s * light.turn);
    ctx.drawImage(light.bitmap, -size, -size, 2 * size, 2 * size);
    ctx.restore();
  },
  beam(ctx, light, u, t_s, x, y, size) {
    const angle = keyed(light.swing, u);
    ctx.globalAlpha = light.alpha * keyed(LEVEL, u);
    ctx.save();
    ctx.translate(x, y);
    ctx.rotate(angle * Math.PI / 180);
    ctx.drawImage(light.bitmap, 0, -size * light.width / 2, size, size * light.width);
    ctx.restore();
  },
  sweep(ctx, light, u, t_s, x, y, size, stage) {
    const reach = smooth(u) * 1.6 - .3, wide = size;
    ctx.globalAlpha = light.alpha * Math.sin(Math.PI * u);
    ctx.save();
    ctx.translate(stage.width * reach, stage.height / 2);
    ctx.rotate(.35);
    ctx.drawImage(light.bitmap, -wide / 2, -stage.height, wide, 2 * stage.height);
    ctx.restore();
  },
};

export const LIGHTS = Object.freeze(Object.keys(DRAWERS));

function ringBitmap(colour) {
  const side = 256, c = side / 2, canvas = canvasOf(side, side), ctx = canvas.getContext('2d');
  const fill = ctx.createRadialGradient(c, c, 0, c, c, c);
  for (const [at, percent] of [[0, 0], [.62, 0], [.88, 16], [.95, 60], [.972, 95], [1, 0]]) fill.addColorStop(at, soft(colour, percent));
  ctx.fillStyle = fill;
  ctx.fillRect(0, 0, side, side);
  return canvas;
}

function bitmapFor(spec, shapes) {
  if (spec.kind === 'rays') return raysBitmap(spec.colour, spec.count ?? 14);
  if (spec.kind === 'beam') return beamBitmap(spec.colour);
  if (spec.kind === 'sweep') return sweepBitmap(spec.colour);
  if (spec.kind === 'ring') return ringBitmap(spec.colour);
  return shapes.get('glow', spec.colour);
}

const swingOf = ([from, middle, to = from]) => [[0, from], [.5, middle], [1, to]];

/** A light ready to draw. */
export function makeLight(spec, shapes) {
  return {
    ...spec,
    alpha: spec.alpha ?? .8,
    size: spec.size ?? .6,
    turn: spec.turn ?? .12,
    width: spec.width ?? .4,
    swing: swingOf(spec.angle ?? [0, 0]),
    place: spec.place ?? [.5, .42],
    bitmap: bitmapFor(spec, shapes),
  };
}

export function drawLight(ctx, light, u, t_s, x, y, size, stage) {
  ctx.globalCompositeOperation = 'lighter';
  DRAWERS[light.kind](ctx, light, u, t_s, x, y, size, stage);
  ctx.globalCompositeOperation = 'source-over';
  ctx.globalAlpha = 1;
}
