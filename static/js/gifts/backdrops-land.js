// Backdrops that stand on the lower edge: water, hills, forests, cities, clouds.

import { soft } from './colours.js';
import { canvasOf } from './shapes.js';

/** A strip wider than the stage whose upper outline is `outline(x)`; it slides to and fro. */
function strip(stage, tall, colour, rim, outline, extra) {
  const canvas = canvasOf(stage.width * 1.2, tall), ctx = canvas.getContext('2d');
  const fill = ctx.createLinearGradient(0, 0, 0, tall);
  fill.addColorStop(0, colour);
  fill.addColorStop(1, `color-mix(in srgb, ${colour} 35%, #0b0716)`);
  ctx.fillStyle = fill;
  ctx.beginPath();
  ctx.moveTo(0, tall);
  for (let x = 0; x <= canvas.width + 6; x += 6) ctx.lineTo(x, outline(x));
  ctx.lineTo(canvas.width, tall);
  ctx.fill();
  if (rim) {
    ctx.strokeStyle = rim; ctx.lineWidth = 1.5;
    ctx.beginPath();
    for (let x = 0; x <= canvas.width + 6; x += 6) ctx.lineTo(x, outline(x) + 1);
    ctx.stroke();
  }
  if (extra) extra(ctx, outline, canvas.width, tall);
  return canvas;
}

function slide(layers, stage) {
  return (ctx, t_s, alpha) => {
    ctx.globalAlpha = alpha;
    for (const { canvas, y, speed, lift, phase } of layers) {
      const shift = Math.sin(t_s * speed + phase) * .5 + .5;
      const rise = (1 - alpha) * stage.height * .12;
      ctx.drawImage(canvas, -shift * (canvas.width - stage.width), y + rise + lift * Math.sin(t_s * 1.3 + phase));
    }
  };
}

function waves(spec, stage, random) {
  const layers = spec.colours.map((colour, i) => {
    const y = stage.height * ((spec.y ?? .72) + i * .075), a = random() * 6.3;
    const long = stage.width / (2.2 + i * .8), high = stage.height * .016 * (1 + i * .35);
    const outline = x => high * 1.6 + high * Math.sin(x / long * 6.283 + a) + high * .4 * Math.sin(x / long * 15 + a);
    return { canvas: strip(stage, stage.height - y + high * 4, colour, soft(spec.rim ?? '#ffffff', 42 - i * 8), outline), y, speed: .55 + i * .18, lift: high * .5, phase: i * 1.9 };
  });
  return slide(layers, stage);
}

function ridge(random, base, rough, wide) {
  const parts = [1, 2.3, 5.1, 11].map((f, i) => [f * 6.283 / wide, rough / (1 + i * 1.25), random() * 6.3]);
  return x => base + parts.reduce((sum, [f, a, p]) => sum + a * Math.sin(x * f + p), 0);
}

function fir(ctx, x, y, tall) {
  ctx.beginPath();
  for (let i = 0; i < 3; i += 1) {
    const top = y - tall * (1 - i * .24), half = tall * (.13 + i * .065);
    ctx.moveTo(x, top); ctx.lineTo(x + half, top + tall * .44); ctx.lineTo(x - half, top + tall * .44);
  }
  ctx.rect(x - tall * .025, y - tall * .14, tall * .05, tall * .2);
  ctx.fill();
}

function hills(spec, stage, random) {
  const layers = spec.colours.map((colour, i) => {
    const y = stage.height * ((spec.y ?? .62) + i * .085), rough = stage.height * (spec.rough ?? .03);
    const outline = ridge(random, rough * 2.6 + (spec.trees ? stage.height * .07 : 0), rough, stage.width * .7);
    const trees = spec.trees && i >= spec.colours.length - 2 ? (ctx, line, width) => {
      ctx.fillStyle = colour;
      for (let x = 0; x < width; x += stage.height * (.025 + .04 * random())) fir(ctx, x, line(x) + 6, stage.height * (.06 + .07 * random()));
    } : null;
    return { canvas: strip(stage, stage.height - y + rough * 3, colour, spec.rim ? soft(spec.rim, 34 - i * 11) : null, outline, trees), y, speed: .1 + i * .05, lift: 0, phase: i };
  });
  return slide(layers, stage);
}

function city(spec, stage, random) {
  const layers = spec.colours.map((colour, i) => {
    const tall = stage.height * (.4 - i * .07), y = stage.height - tall;
    const canvas = canvasOf(stage.width * 1.2, tall), ctx = canvas.getContext('2d');
    for (let x = 0; x < canvas.width;) {
      const wide = stage.unit * (.045 + .07 * random()), high = tall * (.3 + .62 * random() ** 1.6);
      const fill = ctx.createLinearGradient(0, tall - high, 0, tall);
      fill.addColorStop(0, colour); fill.addColorStop(1, `color-mix(in srgb, ${colour} 40%, #0b0716)`);
      ctx.fillStyle = fill;
      ctx.fillRect(x, tall - high, wide, high);
      if (random() < .25) ctx.fillRect(x + wide / 2 - 1, tall - high - stage.unit * .03, 2, stage.unit * .03);
      for (let wy = tall - high + 7; wy < tall - 6; wy += 11) {
        for (let wx = x + 5; wx < x + wide - 6; wx += 9) {
          if (random() > .42) continue;
          ctx.fillStyle = soft(['#ffd98a', '#ffc857', '#fff1c9', '#ff9fb0'][Math.floor(random() * 4)], 35 + 60 * random());
          ctx.fillRect(wx, wy, 4, 5);
        }
      }
      x += wide + stage.unit * .008 * random();
    }
    return { canvas, y, speed: .12 + i * .07, lift: 0, phase: i };
  });
  return slide(layers, stage);
}

function clouds(spec, stage, random, shapes) {
  const layers = spec.colours.map((colour, i) => {
    const y = stage.height * ((spec.y ?? .7) + i * .09), tall = Math.max(stage.height * (spec.tall ?? .34), stage.height - y + 8), canvas = canvasOf(stage.width * 1.2, tall), ctx = canvas.getContext('2d');
    const count = Math.round(26 * Math.max(1, stage.width / stage.height));
    // Each cloud is a heap of soft puffs, lit from above: the lower ones first and darker.
    const puffs = Array.from({ length: count }, () => ({ x: random() * canvas.width, up: random() ** 1.5, size: stage.unit * (.1 + .1 * random()) }));
    puffs.sort((p, q) => q.up - p.up);
    for (const { x, up, size } of puffs) {
      const heap = .5 + .5 * Math.sin(x / stage.unit * 5.2 + i * 2) * Math.sin(x / stage.unit * 2.1 + i);
      const y = tall * (.86 - up * .5 * (.35 + .65 * heap));
      const fill = ctx.createRadialGradient(x - size * .2, y - size * .4, 0, x, y, size);
      fill.addColorStop(0, soft('#ffffff', 9));
      fill.addColorStop(.5, soft(colour, 44));
      fill.addColorStop(1, soft(colour, 0));
      ctx.fillStyle = fill;
      ctx.beginPath(); ctx.arc(x, y, size, 0, 7); ctx.fill();
    }
    const floor = ctx.createLinearGradient(0, tall * .55, 0, tall);
    floor.addColorStop(0, soft(colour, 0)); floor.addColorStop(1, soft(colour, 88));
    ctx.fillStyle = floor;
    ctx.fillRect(0, tall * .55, canvas.width, tall);
    return { canvas, y, speed: .22 + i * .13, lift: stage.height * .006, phase: i * 2.4 };
  });
  return slide(layers, stage);
}

export const land = { waves, hills, city, clouds };
