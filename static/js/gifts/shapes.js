// Particle pictures, each painted once per colour and kept: drawing a frame only copies them.

import { soft } from './colours.js';

const SIZE_PX = 64;
const C = SIZE_PX / 2;

export function canvasOf(width, height) {
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(width));
  canvas.height = Math.max(1, Math.round(height));
  return canvas;
}

function radial(ctx, stops, radius = C) {
  const fill = ctx.createRadialGradient(C, C, 0, C, C, radius);
  for (const [at, colour] of stops) fill.addColorStop(at, colour);
  ctx.fillStyle = fill;
  ctx.fillRect(0, 0, SIZE_PX, SIZE_PX);
}

const clear = colour => soft(colour, 0);
const part = soft;

function filled(ctx, colour, outline) {
  const fill = ctx.createLinearGradient(0, 0, 0, SIZE_PX);
  fill.addColorStop(0, `color-mix(in srgb, ${colour} 60%, white)`);
  fill.addColorStop(1, colour);
  ctx.fillStyle = fill;
  ctx.beginPath();
  outline(ctx);
  ctx.fill();
}

const PAINTERS = {
  spark(ctx, colour) {
    radial(ctx, [[0, '#fff'], [.14, '#fff'], [.24, part(colour, 85)], [.5, part(colour, 26)], [1, clear(colour)]]);
  },
  glow(ctx, colour) {
    radial(ctx, [[0, part(colour, 80)], [.4, part(colour, 28)], [1, clear(colour)]]);
  },
  puff(ctx, colour) {
    radial(ctx, [[0, part(colour, 55)], [.5, part(colour, 30)], [1, clear(colour)]]);
  },
  star(ctx, colour) {
    radial(ctx, [[0, part(colour, 60)], [.5, part(colour, 12)], [1, clear(colour)]]);
    ctx.fillStyle = '#fff';
    ctx.beginPath();
    for (let i = 0; i < 8; i += 1) {
      const r = i % 2 ? 4 : C, a = i * Math.PI / 4;
      ctx.lineTo(C + r * Math.sin(a), C - r * Math.cos(a));
    }
    ctx.fill();
  },
  petal(ctx, colour) {
    filled(ctx, colour, c => {
      c.moveTo(32, 6);
      c.bezierCurveTo(54, 18, 54, 46, 36, 58);
      c.lineTo(32, 52); c.lineTo(28, 58);
      c.bezierCurveTo(10, 46, 10, 18, 32, 6);
    });
  },
  leaf(ctx, colour) {
    filled(ctx, colour, c => { c.moveTo(32, 3); c.quadraticCurveTo(60, 30, 32, 61); c.quadraticCurveTo(4, 30, 32, 3); });
    ctx.strokeStyle = part('#fff', 50); ctx.lineWidth = 2;
    ctx.beginPath(); ctx.moveTo(32, 12); ctx.lineTo(32, 56); ctx.stroke();
  },
  feather(ctx, colour) {
    filled(ctx, colour, c => { c.moveTo(34, 2); c.bezierCurveTo(50, 18, 46, 44, 31, 60); c.bezierCurveTo(16, 44, 20, 16, 34, 2); });
    ctx.strokeStyle = part('#fff', 60); ctx.lineWidth = 1.5;
    ctx.beginPath(); ctx.moveTo(33, 6); ctx.lineTo(31, 63); ctx.stroke();
  },
  drop(ctx, colour) {
    filled(ctx, colour, c => { c.moveTo(32, 4); c.bezierCurveTo(36, 20, 50, 30, 50, 43); c.arc(32, 43, 18, 0, Math.PI); c.bezierCurveTo(14, 30, 28, 20, 32, 4); });
    ctx.fillStyle = part('#fff', 80);
    ctx.beginPath(); ctx.ellipse(26, 40, 3.5, 8, .4, 0, 7); ctx.fill();
  },
  bubble(ctx, colour) {
    radial(ctx, [[0, clear(colour)], [.68, part(colour, 10)], [.9, part(colour, 60)], [.96, part('#fff', 70)], [1, clear(colour)]]);
    ctx.fillStyle = part('#fff', 85);
    ctx.beginPath(); ctx.ellipse(22, 20, 6, 3.5, -.8, 0, 7); ctx.fill();
  },
  snow(ctx, colour) {
    radial(ctx, [[0, '#fff'], [.35, part(colour, 70)], [1, clear(colour)]]);
  },
  confetti(ctx, colour) { filled(ctx, colour, c => c.roundRect(12, 20, 40, 22, 3)); },
  ribbon(ctx, colour) {
    ctx.strokeStyle = colour; ctx.lineWidth = 8; ctx.lineCap = 'round';
    ctx.beginPath(); ctx.moveTo(8, 40); ctx.bezierCurveTo(20, 4, 28, 62, 40, 26); ctx.quadraticCurveTo(48, 10, 57, 26); ctx.stroke();
  },
  heart(ctx, colour) {
    filled(ctx, colour, c => {
      c.moveTo(32, 58);
      c.bezierCurveTo(2, 38, 2, 8, 20, 8); c.bezierCurveTo(28, 8, 32, 16, 32, 18);
      c.bezierCurveTo(32, 16, 36, 8, 44, 8); c.bezierCurveTo(62, 8, 62, 38, 32, 58);
    });
  },
  note(ctx, colour) {
    filled(ctx, colour, c => { c.ellipse(20, 50, 11, 8.5, -.4, 0, 7); c.rect(26, 8, 5, 42); c.moveTo(31, 8); c.quadraticCurveTo(50, 14, 46, 34); c.quadraticCurveTo(44, 22, 31, 20); });
  },
  shard(ctx, colour) { filled(ctx, colour, c => { c.moveTo(32, 2); c.lineTo(52, 34); c.lineTo(28, 62); c.lineTo(16, 26); }); },
  pixel(ctx, colour) { ctx.fillStyle = colour; ctx.fillRect(14, 14, 36, 36); ctx.fillStyle = part('#fff', 55); ctx.fillRect(14, 14, 14, 14); },
  ring(ctx, colour) {
    radial(ctx, [[0, clear(colour)], [.7, clear(colour)], [.84, part(colour, 90)], [.9, part('#fff', 80)], [1, clear(colour)]]);
  },
  streak(ctx, colour) {
    const fill = ctx.createLinearGradient(0, 0, SIZE_PX, 0);
    fill.addColorStop(0, clear(colour)); fill.addColorStop(.8, part(colour, 80)); fill.addColorStop(1, '#fff');
    ctx.fillStyle = fill;
    ctx.beginPath(); ctx.ellipse(C, C, C, 3.5, 0, 0, 7); ctx.fill();
  },
};

export const SHAPES = Object.freeze(Object.keys(PAINTERS));

/** Shapes made of light are added to what is below them; the others cover it. */
export const ADDED_SHAPES = Object.freeze(['spark', 'glow', 'star', 'snow', 'ring', 'streak']);

/** A painter with its own memory, bounded by the palette of the recipes. */
export class Shapes {
  #painted = new Map();

  get(shape, colour) {
    const key = shape + colour;
    let canvas = this.#painted.get(key);
    if (!canvas) {
      canvas = canvasOf(SIZE_PX, SIZE_PX);
      PAINTERS[shape](canvas.getContext('2d'), colour);
      this.#painted.set(key, canvas);
    }
    return canvas;
  }
}
