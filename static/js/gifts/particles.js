// One pool of particles for everything the layer draws. A particle's place is a function of its age, so nothing is
// stepped, a frame allocates nothing, and any moment can be drawn.

const FIELDS = 17;
const BORN = 0, LIFE = 1, X = 2, Y = 3, VX = 4, VY = 5, GRAVITY = 6, DRAG = 7, TURN = 8, SPIN = 9, SIZE = 10, GROW = 11,
  ALPHA = 12, SWAY = 13, SWAY_HZ = 14, PHASE = 15, FLUTTER = 16;

export class Particles {
  #data;
  #images;
  #added;
  #layers;
  #alive = 0;
  #limit;

  constructor(capacity = 400) {
    this.capacity = capacity;
    this.#limit = capacity;
    this.#data = new Float32Array(capacity * FIELDS);
    this.#images = new Array(capacity).fill(null);
    this.#added = new Uint8Array(capacity);
    this.#layers = new Uint8Array(capacity);
  }

  get alive() { return this.#alive; }

  /** How many may be alive; at most the capacity the pool was made with. */
  set limit(count) {
    this.#limit = Math.min(this.capacity, count);
    this.#alive = Math.min(this.#alive, this.#limit);
  }

  /** True if there was room. `kind` is a compiled emitter (see emitters.js), `unit` the stage unit in px. */
  spawn(kind, now_s, x, y, unit, random, heading = 0) {
    if (this.#alive >= this.#limit) return false;
    const i = this.#alive, at = i * FIELDS, data = this.#data;
    this.#alive += 1;
    const speed = (kind.speed0 + (kind.speed1 - kind.speed0) * random()) * unit;
    const angle = kind.angle + heading + (random() - .5) * kind.spread;
    data[at + BORN] = now_s;
    data[at + LIFE] = kind.life0 + (kind.life1 - kind.life0) * random();
    data[at + X] = x; data[at + Y] = y;
    data[at + VX] = Math.cos(angle) * speed; data[at + VY] = Math.sin(angle) * speed;
    data[at + GRAVITY] = kind.gravity * unit;
    data[at + DRAG] = kind.drag;
    data[at + TURN] = kind.turned ? random() * 6.283 : kind.headed ? angle : 0;
    data[at + SPIN] = (random() - .5) * 2 * kind.spin;
    data[at + SIZE] = (kind.size0 + (kind.size1 - kind.size0) * random()) * unit;
    data[at + GROW] = kind.grow;
    data[at + ALPHA] = kind.alpha;
    data[at + SWAY] = kind.sway * unit * (.5 + random());
    data[at + SWAY_HZ] = kind.sway_hz * 6.283 * (.7 + .6 * random());
    data[at + PHASE] = random() * 6.283;
    data[at + FLUTTER] = kind.flutter;
    this.#images[i] = kind.images[Math.floor(random() * kind.images.length)];
    this.#added[i] = kind.added ? 1 : 0;
    this.#layers[i] = kind.back ? 1 : 0;
    return true;
  }

  /** Forget those whose life is over at `now_s`. */
  sweep(now_s) {
    const data = this.#data;
    for (let i = this.#alive - 1; i >= 0; i -= 1) {
      const at = i * FIELDS;
      if (now_s - data[at + BORN] < data[at + LIFE]) continue;
      this.#alive -= 1;
      const last = this.#alive;
      data.copyWithin(at, last * FIELDS, (last + 1) * FIELDS);
      this.#images[i] = this.#images[last];
      this.#added[i] = this.#added[last];
      this.#layers[i] = this.#layers[last];
      this.#images[last] = null;
    }
  }

  clear() {
    this.#alive = 0;
    this.#images.fill(null);
  }

  /** Draw those of one layer (`back` behind the sprites, or in front), covering ones first, then those of light. */
  draw(ctx, now_s, back, scale) {
    const layer = back ? 1 : 0;
    for (let added = 0; added < 2; added += 1) {
      ctx.globalCompositeOperation = added ? 'lighter' : 'source-over';
      for (let i = 0; i < this.#alive; i += 1) {
        if (this.#layers[i] === layer && this.#added[i] === added) this.#drawOne(ctx, i, now_s, scale);
      }
    }
    ctx.globalCompositeOperation = 'source-over';
    ctx.globalAlpha = 1;
    ctx.setTransform(scale, 0, 0, scale, 0, 0);
  }

  #drawOne(ctx, i, now_s, scale) {
    const data = this.#data, at = i * FIELDS;
    const age = now_s - data[at + BORN], life = data[at + LIFE];
    if (age < 0 || age >= life) return;
    const u = age / life, drag = data[at + DRAG];
    const reach = drag > 0 ? (1 - Math.exp(-drag * age)) / drag : age;
    const fall = drag > 0 ? data[at + GRAVITY] * (age - reach) / drag : .5 * data[at + GRAVITY] * age * age;
    const swing = data[at + SWAY] * Math.sin(data[at + SWAY_HZ] * age + data[at + PHASE]);
    const x = data[at + X] + data[at + VX] * reach + swing;
    const y = data[at + Y] + data[at + VY] * reach + fall;
    const size = data[at + SIZE] * (1 + (data[at + GROW] - 1) * u);
    const flutter = data[at + FLUTTER];
    const wave = flutter ? Math.sin(flutter * age + data[at + PHASE]) : 1;
    const fade = Math.min(1, u * 9) * Math.min(1, (1 - u) * 2.4);
    ctx.globalAlpha = data[at + ALPHA] * fade;
    const turn = data[at + TURN] + data[at + SPIN] * age;
    const cos = Math.cos(turn) * scale, sin = Math.sin(turn) * scale;
    // A fluttering piece shows its edge now and then: its height follows the wave.
    const thin = flutter ? .25 + .75 * Math.abs(wave) : 1;
    ctx.setTransform(cos, sin, -sin * thin, cos * thin, x * scale, y * scale);
    ctx.drawImage(this.#images[i], -size / 2, -size / 2, size, size);
  }
}
