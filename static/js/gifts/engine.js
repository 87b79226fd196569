// The canvases and the one clock. Particles and sprites have the sharp canvas; backdrops and lights are soft, and
// have one beneath it with a quarter of its pixels, which is what a machine without a GPU can fill in time. The clock stands still while nothing moves and while the tab is hidden.

import { FlashGuard } from './flash.js';
import { Particles } from './particles.js';

const FRAME_MAX_S = .1;
const AVERAGED_FRAMES = 30;
const CANVAS_MAX_PX = 1_600_000;
const PARTICLES = { high: 400, low: 200 };
const GROUND_SHARPNESS = .5;
const SHARPNESS = { high: 1.5, low: .6 };

export class Engine {
  #ctx;
  #groundCtx;
  #playing = [];
  #requested = 0;
  #last_ms = 0;
  #frame_ms = 0;
  #draw_ms = 0;
  #blank = true;

  constructor(ground, canvas, quality) {
    this.ground = ground;
    this.canvas = canvas;
    this.#groundCtx = ground.getContext('2d');
    this.#ctx = canvas.getContext('2d');
    this.particles = new Particles(PARTICLES.high);
    this.flashes = new FlashGuard();
    this.now_s = 0;
    this.stage = { width: 1, height: 1, unit: 1, scale: 1, low: false };
    this.quality = quality;
  }

  get frameMs() { return this.#frame_ms; }
  get drawMs() { return this.#draw_ms; }

  set quality(quality) {
    this.stage.low = quality === 'low';
    this.particles.limit = PARTICLES[quality];
    this.resize(this.stage.width, this.stage.height);
  }

  /** Fit a host of `width` x `height` CSS px. */
  resize(width, height) {
    const { stage } = this;
    const wanted = stage.low ? SHARPNESS.low : Math.min(SHARPNESS.high, globalThis.devicePixelRatio || 1);
    stage.width = Math.max(1, width);
    stage.height = Math.max(1, height);
    stage.unit = Math.min(stage.height, stage.width * 1.15);
    stage.scale = Math.min(wanted, Math.sqrt(CANVAS_MAX_PX / (stage.width * stage.height)));
    fit(this.canvas, stage, stage.scale);
    fit(this.ground, stage, stage.scale * GROUND_SHARPNESS);
  }

  /** Play a scene; `rate` above 1 hurries it. `done` is called once, at its end. */
  play(scene, rate, done) {
    const playing = { scene, rate, done, started_s: this.now_s, t: 0 };
    this.#playing.push(playing);
    this.wake();
    return playing;
  }

  stop(playing) {
    const i = this.#playing.indexOf(playing);
    if (i >= 0) this.#playing.splice(i, 1);
  }

  /** A few particles with no scene of their own. */
  sprinkle(kind, count, x, y, random) {
    for (let i = 0; i < count; i += 1) this.particles.spawn(kind, this.now_s, x, y, this.stage.unit, random);
    this.wake();
  }

  wake() {
    if (this.#requested) return;
    this.#last_ms = 0;
    this.#requested = requestAnimationFrame(this.#frame);
  }

  clear() {
    this.#playing.length = 0;
    this.particles.clear();
    this.#erase();
  }

  destroy() {
    cancelAnimationFrame(this.#requested);
    this.clear();
  }

  /** Draw one scene alone at `fraction` of its length, the same every time. */
  freeze(scene, fraction) {
    const steps = Math.round(fraction * scene.duration_s * 60), step = 1 / (scene.duration_s * 60);
    this.particles.clear();
    this.now_s = 0;
    for (let i = 1; i <= steps; i += 1) {
      this.now_s = i / 60;
      this.particles.sweep(this.now_s);
      scene.advance((i - 1) * step, i * step, this.now_s, this.particles);
    }
    this.#playing.length = 0;
    this.#draw([{ scene, t: fraction }]);
  }

  #frame = stamp_ms => {
    this.#requested = 0;
    const elapsed_ms = this.#last_ms ? stamp_ms - this.#last_ms : 1000 / 60;
    if (this.#last_ms) this.#frame_ms += (elapsed_ms - this.#frame_ms) / (this.#frame_ms ? AVERAGED_FRAMES : 1);
    this.#last_ms = stamp_ms;
    this.now_s += Math.min(FRAME_MAX_S, elapsed_ms / 1000);
    const began_ms = performance.now();
    this.#advance();
    this.#draw(this.#playing);
    this.#draw_ms += (performance.now() - began_ms - this.#draw_ms) / AVERAGED_FRAMES;
    if (this.#playing.length || this.particles.alive) this.#requested = requestAnimationFrame(this.#frame);
    else this.#frame_ms = 0;
  };

  #advance() {
    this.particles.sweep(this.now_s);
    for (let i = this.#playing.length - 1; i >= 0; i -= 1) {
      const playing = this.#playing[i], { scene } = playing;
      const t = Math.min(1, (this.now_s - playing.started_s) * playing.rate / scene.duration_s);
      scene.advance(playing.t, t, this.now_s, this.particles);
      playing.t = t;
      if (t >= 1) {
        this.#playing.splice(i, 1);
        playing.done();
      }
    }
  }

  #erase() {
    for (const ctx of [this.#groundCtx, this.#ctx]) {
      ctx.setTransform(1, 0, 0, 1, 0, 0);
      ctx.clearRect(0, 0, ctx.canvas.width, ctx.canvas.height);
    }
    this.#blank = true;
  }

  #draw(playing) {
    const ctx = this.#ctx, { scale } = this.stage;
    if (!this.#blank) this.#erase();
    if (!playing.length && !this.particles.alive) return;
    this.#blank = false;
    const groundScale = scale * GROUND_SHARPNESS;
    this.#groundCtx.setTransform(groundScale, 0, 0, groundScale, 0, 0);
    for (let i = 0; i < playing.length; i += 1) playing[i].scene.drawBack(this.#groundCtx, playing[i].t);
    ctx.setTransform(scale, 0, 0, scale, 0, 0);
    this.particles.draw(ctx, this.now_s, true, scale);
    for (let i = 0; i < playing.length; i += 1) playing[i].scene.drawFront(ctx, playing[i].t, scale);
    this.particles.draw(ctx, this.now_s, false, scale);
  }
}

function fit(canvas, stage, scale) {
  const wide = Math.ceil(stage.width * scale), high = Math.ceil(stage.height * scale);
  // Setting a canvas's size, even to the same, wipes it.
  if (canvas.width !== wide) canvas.width = wide;
  if (canvas.height !== high) canvas.height = high;
}
