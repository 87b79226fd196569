/**
 * The stage when there is no video: a small theatre at night. Drawn small and blown up, so that every edge is
 * soft and a machine without a GPU draws a frame in a few milliseconds. Gifts make its lights glow.
 */

const SCALE = 0.4;
const FRAME_MS = 1000 / 24;
const FRAME_MS_AT_REST = 1000 / 15;
const GLOW_DECAY = 0.965;
const LIGHTS = { tray: [142, 240, 198], burst: [255, 93, 115], half: [169, 139, 255], full: [255, 200, 87], epic: [246, 184, 255] };
const BEAMS = [
  { x: 0.14, reach: 0.3, hue: [169, 139, 255], speed: 0.21, phase: 0 },
  { x: 0.38, reach: 0.46, hue: [255, 120, 140], speed: 0.16, phase: 2.1 },
  { x: 0.62, reach: 0.54, hue: [255, 200, 120], speed: 0.18, phase: 4.0 },
  { x: 0.86, reach: 0.7, hue: [110, 190, 255], speed: 0.23, phase: 5.2 },
];
const FLOOR = 0.7;
const BEAM_WIDTH = 96;
const BEAM_HEIGHT = 320;

const rgba = ([r, g, b], alpha) => `rgba(${r},${g},${b},${alpha})`;

export class Stage {
  #canvas;
  #context;
  #glow = 0;
  #light = LIGHTS.burst;
  #dim = 1;
  #motes = Array.from({ length: 26 }, () => ({ x: Math.random(), y: Math.random(), r: 0.4 + Math.random() * 0.9, v: 0.2 + Math.random() }));
  #heads = Array.from({ length: 15 }, (_, i) => ({ x: (i + 0.2 + Math.random() * 0.6) / 15, r: 0.05 + Math.random() * 0.03, p: Math.random() * 6 }));
  #sprites = new Map();
  #last = 0;
  #still;

  /** @param {HTMLCanvasElement} canvas filled for ever; @param {MediaQueryList} still matches when motion is unwanted */
  constructor(canvas, still) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d', { alpha: false });
    this.#still = still;
    new ResizeObserver(() => this.#fit()).observe(canvas);
    still.addEventListener('change', () => this.#draw(0));
    this.#next();
  }

  /** A gift was shown: the lights answer in the colour of its tier. */
  pulse(tier, strength = 0.5) {
    this.#light = LIGHTS[tier] ?? LIGHTS.burst;
    this.#glow = Math.min(1, this.#glow + strength);
  }

  /** An offline stage is nearly dark. */
  set live(live) {
    this.#dim = live ? 1 : 0.28;
    this.#draw(this.#last);
  }

  #fit() {
    const { clientWidth, clientHeight } = this.#canvas;
    this.#canvas.width = Math.max(8, Math.round(clientWidth * SCALE));
    this.#canvas.height = Math.max(8, Math.round(clientHeight * SCALE));
    this.#draw(this.#last);
  }

  /** Asks for a frame when one is due, not for every frame of the screen: each costs even when nothing is drawn. */
  #next() {
    const rest = this.#glow < 0.02 ? FRAME_MS_AT_REST : FRAME_MS;
    setTimeout(() => requestAnimationFrame((now) => this.#frame(now)), rest);
  }

  #frame(now) {
    this.#next();
    if (document.hidden || this.#still.matches || this.#canvas.hidden) return;
    this.#last = now;
    this.#glow *= GLOW_DECAY;
    this.#draw(now);
  }

  #draw(now) {
    const c = this.#context;
    const { width: w, height: h } = this.#canvas;
    const t = now / 1000;
    c.globalCompositeOperation = 'source-over';
    const ground = c.createLinearGradient(0, 0, 0, h);
    ground.addColorStop(0, '#0b0813');
    ground.addColorStop(0.5, '#1a1330');
    ground.addColorStop(FLOOR, '#241a3c');
    ground.addColorStop(FLOOR + 0.01, '#1b1329');
    ground.addColorStop(1, '#0a0710');
    c.fillStyle = ground;
    c.fillRect(0, 0, w, h);
    this.#curtains(c, w, h, t);
    c.globalCompositeOperation = 'lighter';
    this.#aurora(c, w, h, t);
    for (const beam of BEAMS) this.#beam(c, w, h, t, beam);
    this.#pool(c, w, h, t);
    this.#dust(c, w, h, t);
    c.globalCompositeOperation = 'source-over';
    this.#crowd(c, w, h, t);
    if (this.#dim < 1) {
      c.fillStyle = `rgba(8,5,14,${1 - this.#dim})`;
      c.fillRect(0, 0, w, h);
    }
  }

  #curtains(c, w, h, t) {
    for (const side of [0, 1]) {
      const span = Math.min(w * 0.17, h * 0.2);
      for (let i = 0; i < 6; i += 1) {
        const at = (i + 0.5) / 6;
        const x = (side ? w - at * span : at * span) + Math.sin(t * 0.4 + i) * 0.6;
        const fold = c.createLinearGradient(x - span / 10, 0, x + span / 10, 0);
        const shade = 0.5 - at * 0.4;
        fold.addColorStop(0, 'rgba(60,18,44,0)');
        fold.addColorStop(0.5, `rgba(96,26,62,${shade})`);
        fold.addColorStop(1, 'rgba(30,8,26,0)');
        c.fillStyle = fold;
        c.fillRect(x - span / 10, 0, span / 5, h * (FLOOR + 0.015));
      }
    }
  }

  #aurora(c, w, h, t) {
    const bands = [[169, 139, 255], [110, 210, 200], [255, 93, 115]];
    bands.forEach((colour, i) => {
      const y = h * (0.24 + 0.09 * i) + Math.sin(t * 0.13 + i * 2) * h * 0.04;
      const x = w * (0.5 + 0.34 * Math.sin(t * 0.07 + i * 2.4));
      const veil = c.createRadialGradient(x, y, 0, x, y, Math.max(w, h) * 0.42);
      veil.addColorStop(0, rgba(colour, 0.11 + this.#glow * 0.06));
      veil.addColorStop(1, rgba(colour, 0));
      c.fillStyle = veil;
      c.fillRect(0, 0, w, h);
    });
  }

  #beam(c, w, h, t, { x, reach, hue, speed, phase }) {
    const sway = Math.sin(t * speed + phase);
    const foot = (reach + sway * 0.16) * w;
    const top = x * w;
    const spread = Math.max(w * 0.11, h * 0.06);
    const down = h * (FLOOR + 0.14);
    c.save();
    c.translate(top, -h * 0.02);
    c.rotate(Math.atan2(top - foot, down));
    const place = [-spread * 1.5, 0, spread * 3, Math.hypot(foot - top, down)];
    c.globalAlpha = 1 - this.#glow * 0.5;
    c.drawImage(this.#sprite(hue), ...place);
    if (this.#glow > 0.02) {
      c.globalAlpha = this.#glow;
      c.drawImage(this.#sprite(this.#light), ...place);
    }
    c.restore();
    const colour = hue;
    this.#ellipse(c, foot, h * (FLOOR + 0.09), spread * 1.25, h * 0.028, colour, 0.2 + this.#glow * 0.2);
  }

  #sprite(colour) {
    const key = colour.join();
    if (!this.#sprites.has(key)) this.#sprites.set(key, beamSprite(colour));
    return this.#sprites.get(key);
  }

  #pool(c, w, h, t) {
    const warmth = 0.3 + 0.04 * Math.sin(t * 0.9) + this.#glow * 0.3;
    this.#ellipse(c, w / 2, h * (FLOOR + 0.075), Math.max(w * 0.2, h * 0.15), h * 0.035, [255, 206, 150], warmth);
    const halo = c.createRadialGradient(w / 2, h * 0.5, 0, w / 2, h * 0.5, h * 0.26);
    halo.addColorStop(0, rgba([255, 190, 140], 0.15 + this.#glow * 0.1));
    halo.addColorStop(1, rgba([255, 190, 140], 0));
    c.fillStyle = halo;
    c.fillRect(0, 0, w, h);
  }

  #ellipse(c, x, y, rx, ry, colour, alpha) {
    c.save();
    c.translate(x, y);
    c.scale(1, ry / rx);
    const spot = c.createRadialGradient(0, 0, 0, 0, 0, rx);
    spot.addColorStop(0, rgba(colour, alpha));
    spot.addColorStop(1, rgba(colour, 0));
    c.fillStyle = spot;
    c.fillRect(-rx, -rx, rx * 2, rx * 2);
    c.restore();
  }

  #dust(c, w, h, t) {
    for (const mote of this.#motes) {
      const y = (mote.y - t * 0.008 * mote.v) % 1;
      const twinkle = 0.12 + 0.2 * Math.abs(Math.sin(t * mote.v + mote.x * 9));
      c.fillStyle = rgba([255, 235, 210], twinkle);
      c.beginPath();
      c.arc((mote.x + Math.sin(t * 0.2 * mote.v) * 0.02) * w, ((y + 1) % 1) * h * FLOOR, mote.r, 0, 7);
      c.fill();
    }
  }

  /** Out-of-focus heads in front: the watcher stands among people. */
  #crowd(c, w, h, t) {
    const size = Math.min(h, w * 1.2);
    for (const { x, r, p } of this.#heads) {
      const y = h - size * (0.05 + 0.008 * Math.sin(t * 1.3 + p));
      const rim = Math.max(0, 1 - Math.abs(x - 0.5) * 1.9) * (0.3 + this.#glow * 0.5);
      c.beginPath();
      c.arc(x * w, y - size * r * 0.4, size * r * 0.6, 0, 7);
      c.ellipse(x * w, y + size * 0.07, size * r * 1.35, size * 0.08, 0, 0, 7);
      c.fillStyle = '#07050d';
      c.fill();
      c.beginPath();
      c.arc(x * w, y - size * r * 0.4, size * r * 0.58, Math.PI * 1.15, Math.PI * 1.85);
      c.lineWidth = 1.4;
      c.strokeStyle = rgba([255, 200, 160], rim);
      c.stroke();
    }
  }
}

/** A beam on black, to be added to what is there: bell-shaped across, fading downwards, with noise against banding. */
function beamSprite([r, g, b]) {
  const canvas = document.createElement('canvas');
  canvas.width = BEAM_WIDTH;
  canvas.height = BEAM_HEIGHT;
  const context = canvas.getContext('2d');
  const image = context.createImageData(BEAM_WIDTH, BEAM_HEIGHT);
  for (let y = 0; y < BEAM_HEIGHT; y += 1) {
    const v = y / BEAM_HEIGHT;
    const width = 0.025 + v * 0.32;
    const fall = 0.62 * (1 - v) ** 1.7 + 0.05 * (1 - v);
    for (let x = 0; x < BEAM_WIDTH; x += 1) {
      const u = (x + 0.5) / BEAM_WIDTH - 0.5;
      const light = fall * Math.exp(-((u / width) ** 2) * 2.2);
      const at = (y * BEAM_WIDTH + x) * 4;
      const noise = Math.random() - 0.5;
      image.data.set([r * light + noise, g * light + noise, b * light + noise, 255], at);
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
