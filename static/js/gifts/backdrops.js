// Landscapes and skies. Each builder paints its bitmaps once and returns draw(ctx, t_s, alpha); they fade at their
// upper edge, so that a scene grows out of the video rather than covering it with a box.

import { soft } from './colours.js';
import { canvasOf } from './shapes.js';
import { land } from './backdrops-land.js';

function stars(spec, stage, random, shapes) {
  const { width, height } = stage, deep = height * (spec.depth ?? .8);
  const sky = canvasOf(width, deep), ctx = sky.getContext('2d');
  const count = Math.round((spec.count ?? 160) * Math.min(1, width / 900 + .3));
  for (let i = 0; i < count; i += 1) {
    const y = random() ** 1.3 * deep, size = .5 + 1.5 * random() ** 3;
    ctx.globalAlpha = (.25 + .75 * random()) * Math.min(1, (deep - y) / (deep * .4));
    ctx.fillStyle = ['#ffffff', '#cfe2ff', '#ffe9c9'][Math.floor(random() * 3)];
    ctx.beginPath(); ctx.arc(random() * width, y, size, 0, 7); ctx.fill();
  }
  const bright = Array.from({ length: 16 }, () => [random() * width, random() * deep * .75, 7 + 12 * random(), random() * 6.3]);
  const picture = shapes.get('star', spec.colour ?? '#cfe2ff');
  return (ctx2, t_s, alpha) => {
    ctx2.globalAlpha = alpha;
    ctx2.drawImage(sky, 0, 0);
    for (const [x, y, size, phase] of bright) {
      ctx2.globalAlpha = alpha * (.45 + .4 * Math.sin(t_s * 1.7 + phase));
      ctx2.drawImage(picture, x - size, y - size, 2 * size, 2 * size);
    }
  };
}

function wash(spec, stage) {
  const strip = canvasOf(4, 128), ctx = strip.getContext('2d');
  const fill = ctx.createLinearGradient(0, 0, 0, 128);
  spec.stops.forEach(([at, colour, percent]) => fill.addColorStop(at, soft(colour, percent)));
  ctx.fillStyle = fill;
  ctx.fillRect(0, 0, 4, 128);
  const top = (spec.from ?? 0) * stage.height, deep = ((spec.to ?? 1) - (spec.from ?? 0)) * stage.height;
  return (ctx2, t_s, alpha) => {
    ctx2.globalAlpha = alpha;
    ctx2.drawImage(strip, 0, top, stage.width, deep);
  };
}

function deep(spec, stage, random) {
  const shaft = canvasOf(64, 128), ctx = shaft.getContext('2d');
  const fill = ctx.createLinearGradient(0, 0, 0, 128);
  fill.addColorStop(0, soft(spec.colour, 46));
  fill.addColorStop(1, soft(spec.colour, 0));
  ctx.fillStyle = fill;
  for (let i = 0; i < 5; i += 1) {
    ctx.globalAlpha = .34;
    ctx.beginPath(); ctx.moveTo(26 - i * 1.5, 0); ctx.lineTo(38 + i * 1.500, 0); ctx.lineTo(52 + i * 3, 128); ctx.lineTo(12 - i * 3, 128); ctx.fill();
  }
  const shafts = Array.from({ length: spec.count ?? 6 }, (_, i) => [(i + random()) / (spec.count ?? 6), .12 + .16 * random(), random() * 6.3]);
  return (ctx2, t_s, alpha) => {
    ctx2.globalCompositeOperation = 'lighter';
    for (const [at, wide, phase] of shafts) {
      ctx2.globalAlpha = alpha * (.45 + .3 * Math.sin(t_s * .9 + phase));
      const lean = .22 + .05 * Math.sin(t_s * .4 + phase);
      ctx2.save();
      ctx2.translate(at * stage.width, -10);
      ctx2.rotate(lean);
      ctx2.drawImage(shaft, -wide * stage.width / 2, 0, wide * stage.width, stage.height * 1.05);
      ctx2.restore();
    }
    ctx2.globalCompositeOperation = 'source-over';
  };
}

function aurora(spec, stage, random) {
  const slices = stage.low ? 40 : 80;
  const curtains = spec.colours.map((colour, i) => {
    const strip = canvasOf(8, 128), ctx = strip.getContext('2d');
    const fill = ctx.createLinearGradient(0, 0, 0, 128);
    const other = spec.colours[(i + 1) % spec.colours.length];
    fill.addColorStop(0, soft(other, 0));
    fill.addColorStop(.55, soft(other, 30));
    fill.addColorStop(.88, soft(colour, 70));
    fill.addColorStop(1, soft(colour, 0));
    ctx.fillStyle = fill;
    ctx.fillRect(0, 0, 8, 128);
    return { strip, phase: random() * 6.3, rise: i };
  });
  const wide = stage.width / slices;
  return (ctx, t_s, alpha) => {
    ctx.globalCompositeOperation = 'lighter';
    for (const { strip, phase, rise } of curtains) {
      for (let s = 0; s < slices; s += 1) {
        const x = s / slices;
        const wave = Math.sin(x * 5 + t_s * .5 + phase) + .5 * Math.sin(x * 11 - t_s * .7 + phase * 2);
        const tall = stage.height * (.34 + .08 * Math.sin(x * 7 + phase - t_s * .3));
        ctx.globalAlpha = alpha * (.34 + .26 * Math.sin(x * 9 + t_s * .8 + phase * 3)) * Math.sin(Math.PI * (s + .5) / slices);
        const left = Math.round(s * wide);
        ctx.drawImage(strip, left, stage.height * ((spec.y ?? .3) + .05 * rise + .06 * wave) - tall * .6, Math.round((s + 1) * wide) - left, tall);
      }
    }
    ctx.globalCompositeOperation = 'source-over';
  };
}

function nebula(spec, stage, random, shapes) {
  const side = 320, sky = canvasOf(side, side), ctx = sky.getContext('2d'), c = side / 2;
  ctx.globalCompositeOperation = 'lighter';
  const arms = spec.arms ?? 0;
  for (let i = 0; i < 42; i += 1) {
    const far = random() ** .7, a = arms ? (i % arms) * 6.283 / arms + far * 3.6 + (random() - .5) * .7 : random() * 6.283;
    const r = (.1 + .22 * random()) * side * (arms ? .6 : 1);
    ctx.globalAlpha = arms ? .3 : .2;
    ctx.drawImage(shapes.get('glow', spec.colours[i % spec.colours.length]), c + Math.cos(a) * far * c * .72 - r, c + Math.sin(a) * far * c * .72 - r, 2 * r, 2 * r);
  }
  ctx.fillStyle = '#fff';
  for (let i = 0; i < (arms ? 420 : 120); i += 1) {
    const far = random(), a = arms ? (i % arms) * 6.283 / arms + far * 3.6 + (random() - .5) * .55 : random() * 6.283;
    ctx.globalAlpha = (1 - far) * (.3 + .7 * random());
    ctx.fillRect(c + Math.cos(a) * far * c * .85, c + Math.sin(a) * far * c * .85, 1.3, 1.3);
  }
  ctx.globalCompositeOperation = 'destination-in';
  const mask = ctx.createRadialGradient(c, c, 0, c, c, c);
  mask.addColorStop(.45, '#000'); mask.addColorStop(1, 'transparent');
  ctx.globalAlpha = 1; ctx.fillStyle = mask; ctx.fillRect(0, 0, side, side);
  const size = (spec.size ?? 1) * Math.max(stage.width, stage.height);
  return (ctx2, t_s, alpha) => {
    ctx2.globalCompositeOperation = 'lighter';
    ctx2.globalAlpha = alpha * (spec.alpha ?? .8);
    ctx2.save();
    ctx2.translate(stage.width * (spec.place?.[0] ?? .5), stage.height * (spec.place?.[1] ?? .45));
    ctx2.scale(1, spec.tilt ?? .62);
    ctx2.rotate(t_s * (spec.turn ?? .05));
    ctx2.drawImage(sky, -size / 2, -size / 2, size, size);
    ctx2.restore();
    ctx2.globalCompositeOperation = 'source-over';
  };
}

const BUILDERS = { stars, wash, deep, aurora, nebula, ...land };

export const BACKDROPS = Object.freeze(Object.keys(BUILDERS));

/** draw(ctx, t_s, alpha) for a backdrop of a recipe. */
export function makeBackdrop(spec, stage, random, shapes) {
  return BUILDERS[spec.kind](spec, stage, random, shapes);
}
