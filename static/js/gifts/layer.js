// The gift layer: what viewer, studio preview and overlay share. It is given pushes as they come off the wire and
// shows them; it never asks the server for anything but art and recipes.

import { Art, pictureOf } from './art.js';
import { Engine } from './engine.js';
import { Fold } from './fold.js';
import { Lanes } from './lanes.js';
import { make } from './person.js';
import { seedOf } from './random.js';
import { Recipes } from './recipes.js';
import { artOf, Scene } from './scene.js';
import { Seen } from './seen.js';
import { Shapes } from './shapes.js';
import { Sound } from './sound.js';
import { Stage } from './stage.js';
import { strangeGift, UNKNOWN_PICTURE } from './tiers.js';

const ON_STAGE = new Set(['half', 'full', 'epic']);
const LANE_SCENES_MAX = 5;
const LANE_SCENE_GAP_MS = 300;

const DEFAULTS = {
  catalog: { gifts: [] }, mode: 'viewer', meId: null, lanes: 3, minCoins: 0, quality: 'high', volume: .6, muted: true,
  reducedMotion: null, hideEffects: false, language: 'en', foldBelowCoins: 100,
};

/**
 * `new GiftLayer(host, options)`; options as in DEFAULTS, `reducedMotion: null` follows the media query.
 * Event `rendered`: `detail.offsets`, the offsets of gifts that can now be seen (folded ones when that is said).
 */
export class GiftLayer extends EventTarget {
  #options;
  #gifts;
  #root = make('div', 'gs-layer');
  #ground = make('canvas', 'gs-ground');
  #canvas = make('canvas', 'gs-canvas');
  #art = new Art();
  #shapes = new Shapes();
  #seen = new Seen();
  #shown = [];
  #laneScenes = 0;
  #motion = matchMedia('(prefers-reduced-motion: reduce)');
  #watch = new AbortController();
  #recipes = new Recipes();

  constructor(host, options = {}) {
    super();
    this.#options = { ...DEFAULTS, ...options };
    this.host = host;
    this.#gifts = new Map(this.#options.catalog.gifts.map(gift => [gift.id, gift]));
    this.#root.setAttribute('aria-hidden', 'true');
    this.#root.append(this.#ground, this.#canvas);
    host.append(this.#root);
    this.engine = new Engine(this.#ground, this.#canvas, this.#options.quality);
    this.sound = new Sound(this.#options);
    this.stage = new Stage(this.#root, {
      engine: this.engine,
      prepare: gift => this.#prepare(gift),
      build: (show, prepared) => this.#scene(show.gift, prepared, null),
      onShown: show => { this.sound.play(show.gift.sound); this.#rendered(show.offsets); },
    });
    this.lanes = new Lanes(this.#root, {
      opened: (combo, lane) => { this.sound.play(combo.gift.sound); this.#playFromLane(combo, lane); },
      tapped: (combo, lane) => this.#playFromLane(combo, lane),
      folded: combo => this.#foldCombo(combo),
      shown: offsets => this.#rendered(offsets),
    });
    this.folds = new Fold(this.#root, offsets => this.#rendered(offsets));
    this.#listen();
    this.#apply();
  }

  /** Show a gift push. A push whose offset was shown already changes nothing. */
  show(push) {
    if (!this.#seen.add(push.offset)) return;
    const gift = this.#gifts.get(push.gift) ?? strangeGift(push);
    const total = Math.max(push.quantity, push.combo ? push.combo_quantity : 0);
    const coins = Math.max(push.coins, gift.coins * total);
    if (coins < this.#options.minCoins) return;
    const now_ms = performance.now(), own = this.#options.meId !== null && push.sender.id === this.#options.meId;
    const offsets = [push.offset];
    if (ON_STAGE.has(gift.tier) && !this.#options.hideEffects) {
      this.stage.add({ gift, sender: push.sender, quantity: push.quantity, coins: push.coins, own, since_ms: now_ms, offsets });
      return;
    }
    const combo = { key: push.combo ?? `offset ${push.offset}`, sender: push.sender, gift, quantity: total, coins, own, since_ms: now_ms, last_ms: now_ms, offsets };
    if (document.hidden && !own && coins < this.#options.foldBelowCoins) this.#foldCombo({ ...combo, quantity: push.quantity });
    else this.lanes.show(combo);
  }

  /** The end of a combo: its last number. */
  endCombo(ended) { this.lanes.end(ended.combo, ended.quantity); }

  /** Gifts the server counted together. */
  fold(folded) {
    if (!this.#seen.addFold(folded.offset)) return;
    for (const item of folded.items) this.folds.add({ picture: this.#gifts.has(item.gift) ? item.gift : UNKNOWN_PICTURE, quantity: item.quantity, others: item.senders });
  }

  /** Change options. `epoch` (any new value) forgets the offsets seen: a new epoch counts from the start again. */
  set(changes) {
    const { epoch, catalog, ...options } = changes;
    Object.assign(this.#options, options);
    if (epoch !== undefined) this.#seen.renew(epoch);
    if (catalog) this.#gifts = new Map(catalog.gifts.map(gift => [gift.id, gift]));
    this.#apply();
  }

  get stats() {
    return {
      particlesAlive: this.engine.particles.alive,
      frameMs: this.engine.frameMs,
      drawMs: this.engine.drawMs,
      queued: this.stage.waiting + this.lanes.waiting,
      lanes: this.lanes.open,
    };
  }

  /** Draw one gift's animation standing still at `fraction` (0..1), the same every time. Clears what was shown. */
  async seek(giftId, fraction, sender = { id: 'someone', name: 'Ana' }) {
    const gift = this.#gifts.get(giftId);
    if (!gift) throw new Error(`no gift ${giftId} in the catalogue`);
    const prepared = await this.#prepare(gift);
    this.clear();
    const show = { gift, sender, quantity: 1, coins: gift.coins, own: false, since_ms: 0, offsets: [] };
    if (ON_STAGE.has(gift.tier)) {
      this.stage.freeze(show, prepared, fraction);
      return;
    }
    const lane = this.lanes.lane(0);
    this.#frozen = true;
    this.lanes.show({ ...show, key: 'still', quantity: 7, last_ms: 0 });
    this.#frozen = false;
    lane.freeze(fraction * gift.animation.duration_ms);
    if (prepared.recipe && !this.still) this.engine.freeze(this.#scene(gift, prepared, lane.origin(this.#root)), fraction);
  }

  #frozen = false;

  /** True when motion is reduced: fades and stills, the same information. */
  get still() { return this.#options.reducedMotion ?? this.#motion.matches; }

  /** Everything off the screen, nothing waiting. */
  clear() {
    this.stage.clear();
    this.lanes.clear();
    this.folds.clear();
    this.engine.clear();
    this.#laneScenes = 0;
  }

  destroy() {
    this.#watch.abort();
    this.stage.destroy();
    this.lanes.destroy();
    this.folds.destroy();
    this.engine.destroy();
    this.sound.destroy();
    this.#root.remove();
  }

  #listen() {
    const { signal } = this.#watch;
    document.addEventListener('visibilitychange', () => this.#visible(), { signal });
    this.#motion.addEventListener('change', () => this.#apply(), { signal });
    const sizes = new ResizeObserver(() => this.engine.resize(this.#root.clientWidth, this.#root.clientHeight));
    sizes.observe(this.#root);
    signal.addEventListener('abort', () => sizes.disconnect());
  }

  #visible() {
    this.folds.held = document.hidden;
    this.stage.hold(document.hidden);
    if (document.hidden) return;
    this.lanes.catchUp(performance.now());
    this.folds.show();
  }

  #apply() {
    const options = this.#options, { still } = this;
    this.#root.className = `gs-layer gs-mode-${options.mode}${still ? ' gs-reduced' : ''}${options.hideEffects ? ' gs-quiet' : ''}`;
    this.sound.muted = options.muted;
    this.sound.volume = options.volume;
    this.engine.quality = options.quality;
    this.engine.resize(this.#root.clientWidth, this.#root.clientHeight);
    for (const part of [this.stage, this.lanes, this.folds]) {
      part.language = options.language;
      part.still = still;
    }
    this.lanes.foldBelowCoins = options.foldBelowCoins;
    this.lanes.count = options.lanes;
  }

  async #prepare(gift) {
    const recipe = await this.#recipes.get(gift.tier, gift.animation.recipe);
    const names = recipe ? artOf(recipe, pictureOf(gift)) : [];
    const images = new Map(await Promise.all(names.map(async name => [name, await this.#art.load(name)])));
    return { recipe, images };
  }

  #scene(gift, { recipe, images }, origin) {
    return new Scene({
      recipe, images, origin, picture: pictureOf(gift), art: this.#art, shapes: this.#shapes, stage: { ...this.engine.stage },
      seed: seedOf(gift.id), duration_s: gift.animation.duration_ms / 1000,
      allowFlash: now_s => this.engine.flashes.allow(now_s),
    });
  }

  async #playFromLane(combo, lane) {
    if (this.still || this.#frozen || this.#options.hideEffects || this.#laneScenes >= LANE_SCENES_MAX) return;
    const now_ms = performance.now();
    if (now_ms - (combo.played_ms ?? -Infinity) < LANE_SCENE_GAP_MS) return;
    combo.played_ms = now_ms;
    const prepared = await this.#prepare(combo.gift);
    if (!prepared.recipe || lane.combo !== combo || this.#laneScenes >= LANE_SCENES_MAX) return;
    this.#laneScenes += 1;
    const scene = this.#scene(combo.gift, prepared, lane.origin(this.#root));
    this.engine.play(scene, 1, () => { this.#laneScenes = Math.max(0, this.#laneScenes - 1); });
  }

  #foldCombo(combo) {
    this.folds.add({ picture: pictureOf(combo.gift), quantity: combo.quantity, senderId: combo.sender.id, offsets: combo.offsets.splice(0) });
  }

  #rendered(offsets) {
    if (!offsets.length) return;
    if (!this.#shown.length) {
      queueMicrotask(() => this.dispatchEvent(new CustomEvent('rendered', { detail: { offsets: this.#shown.splice(0) } })));
    }
    this.#shown.push(...offsets);
  }
}
