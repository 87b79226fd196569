// One gift's animation: a recipe put on a stage. `advance` sets particles free, `draw` paints a moment.

import { makeBackdrop } from './backdrops.js';
import { smooth } from './easing.js';
import { compile } from './emitters.js';
import { drawLight, makeLight } from './lights.js';
import { seeded } from './random.js';
import { drawSprite, locate, makeSprite } from './sprites.js';

const EDGE = .1;

/** Names of the pictures a recipe needs; `gift` stands for the gift's own. */
export const artOf = (recipe, picture) =>
  [...new Set((recipe.sprites ?? []).map(sprite => (sprite.art === 'gift' ? picture : sprite.art)))].concat(
    (recipe.emitters ?? []).some(spec => spec.pieces) ? [picture] : []);

export class Scene {
  #emitters;
  #lights;
  #backdrops;
  #sprites;
  #random;
  #lawful;

  /**
   * `images`: Map of name to image (null where it could not be had). `origin`: px, for recipes told from a lane.
   * `allowFlash(now_s)`: asked once for each bloom; a refused one is left out.
   */
  constructor({ recipe, picture, images, art, shapes, stage, seed, duration_s, origin = null, allowFlash }) {
    this.duration_s = duration_s;
    this.recipe = recipe;
    this.stage = stage;
    this.#random = seeded(seed);
    this.toX = recipe.origin === 'lane' ? x => origin.x + x * stage.unit : x => x * stage.width;
    this.toY = recipe.origin === 'lane' ? y => origin.y + y * stage.unit : y => y * stage.height;
    const layout = seeded(seed + 1);
    this.#sprites = [];
    this.#byIndex = (recipe.sprites ?? []).map(spec => {
      const name = spec.art === 'gift' ? picture : spec.art;
      const image = images.get(name);
      if (!image) return null;
      const widest = Math.max(...(spec.scale ?? [[0, 1]]).map(key => key[1])) * (spec.swarm?.size?.[1] ?? 1);
      const size_px = spec.size * stage.unit * Math.min(1.4, widest) * stage.scale;
      const sprite = makeSprite(spec, art.bitmap(name, image, size_px, spec.glow ?? null), layout);
      this.#sprites.push(sprite);
      return sprite;
    });
    this.#backdrops = (recipe.backdrops ?? []).map(spec => ({ spec, at: spec.at ?? [0, 1], draw: makeBackdrop(spec, stage, layout, shapes) }));
    this.#lights = (recipe.lights ?? []).filter(spec => !(stage.low && spec.kind === 'rays')).map(spec => makeLight(spec, shapes));
    const middle = recipe.origin === 'lane' ? [0, 0] : [.5, .42];
    this.#emitters = (recipe.emitters ?? []).map(spec => {
      const image = spec.pieces ? images.get(picture) : null;
      if (spec.pieces && !image) return null;
      return compile({ place: middle, ...spec }, shapes, image ? art.pieces(picture, image, 96, spec.pieces) : null);
    }).filter(Boolean);
    this.#lawful = new Set();
    this.allowFlash = allowFlash;
  }

  #byIndex;

  /** Free the particles due between moments `t0` and `t1` (0..1); `now_s` is the pool's clock at `t1`. */
  advance(t0, t1, now_s, particles) {
    const { stage, duration_s } = this;
    for (const light of this.#lights) {
      if (light.kind === 'bloom' && t0 <= light.at[0] && t1 > light.at[0] && this.allowFlash(now_s)) this.#lawful.add(light);
    }
    for (const emitter of this.#emitters) {
      let count = t0 <= emitter.from && t1 > emitter.from ? emitter.burst : 0;
      if (emitter.rate) {
        const a = Math.max(0, Math.min(t0, emitter.to) - emitter.from), b = Math.max(0, Math.min(t1, emitter.to) - emitter.from);
        count += Math.floor(b * duration_s * emitter.rate) - Math.floor(a * duration_s * emitter.rate);
      }
      if (stage.low && count > 1) count = Math.ceil(count / 2);
      for (let i = 0; i < count; i += 1) this.#spawn(emitter, t1, now_s, particles);
    }
  }

  #spawn(emitter, t, now_s, particles) {
    let x, y, heading = 0;
    const sprite = emitter.follow === null ? null : this.#byIndex[emitter.follow];
    if (sprite) {
      const member = sprite.members[Math.floor(this.#random() * sprite.members.length)];
      if (!locate(sprite, member, t, t * this.duration_s, this.stage, this.toX, this.toY)) return;
      ({ x, y } = sprite.place);
      if (emitter.headed) heading = sprite.place.heading;
    } else {
      x = this.toX(emitter.place[0]); y = this.toY(emitter.place[1]);
    }
    x += (this.#random() - .5) * emitter.area[0] * (sprite || this.recipe.origin ? this.stage.unit : this.stage.width);
    y += (this.#random() - .5) * emitter.area[1] * (sprite || this.recipe.origin ? this.stage.unit : this.stage.height);
    particles.spawn(emitter, now_s, x, y, this.stage.unit, this.#random, heading);
  }

  drawBack(ctx, t) {
    const t_s = t * this.duration_s;
    for (const { at, draw } of this.#backdrops) {
      const u = (t - at[0]) / (at[1] - at[0]);
      if (u < 0 || u > 1) continue;
      draw(ctx, t_s, smooth(u / EDGE) * smooth((1 - u) / EDGE));
    }
    ctx.globalAlpha = 1;
    this.#drawLights(ctx, t, false);
  }

  drawFront(ctx, t, scale) {
    const t_s = t * this.duration_s;
    for (const sprite of this.#sprites) {
      for (const member of sprite.members) {
        if (locate(sprite, member, t, t_s, this.stage, this.toX, this.toY)) drawSprite(ctx, sprite, scale);
      }
    }
    ctx.setTransform(scale, 0, 0, scale, 0, 0);
    ctx.globalAlpha = 1;
    ctx.globalCompositeOperation = 'source-over';
    this.#drawLights(ctx, t, true);
  }

  #drawLights(ctx, t, front) {
    for (const light of this.#lights) {
      if (Boolean(light.front) !== front) continue;
      const u = (t - light.at[0]) / (light.at[1] - light.at[0]);
      if (u < 0 || u > 1 || (light.kind === 'bloom' && !this.#lawful.has(light))) continue;
      let x = this.toX(light.place[0]), y = this.toY(light.place[1]);
      const sprite = light.follow === undefined ? null : this.#byIndex[light.follow];
      if (sprite && locate(sprite, sprite.members[0], t, t * this.duration_s, this.stage, this.toX, this.toY)) ({ x, y } = sprite.place);
      drawLight(ctx, light, u, t * this.duration_s, x, y, light.size * this.stage.unit, this.stage);
    }
  }
}
