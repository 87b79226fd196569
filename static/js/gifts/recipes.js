// Recipes are data: static/gifts/recipes/<tier>.json, each a map of name to recipe. They are checked here, so that a
// mistake is a sentence in the console and a plainer show, never a broken page.

import { BACKDROPS } from './backdrops.js';
import { EASINGS } from './easing.js';
import { FLASHES_PER_S } from './flash.js';
import { LIGHTS } from './lights.js';
import { SHAPES } from './shapes.js';
import { SHORTEST_MS } from './tiers.js';

const ROOT = new URL('../../gifts/recipes/', import.meta.url);

const LISTS = { sprites: true, lights: true, emitters: true, backdrops: true };
const KEYS = new Set([...Object.keys(LISTS), 'origin', 'dim', 'pieces', 'count', 'beats']);
const isSpan = at => Array.isArray(at) && at.length === 2 && at[0] >= 0 && at[1] <= 1 && at[0] <= at[1];

function spriteFaults(sprite) {
  const faults = [];
  if (typeof sprite.art !== 'string') faults.push('art is not a name');
  if (!Array.isArray(sprite.path) || !sprite.path.length) faults.push('path is empty');
  if (!(sprite.size > 0)) faults.push('size is not above 0');
  if (sprite.at && !isSpan(sprite.at)) faults.push('at is not [from, to] within 0..1');
  if (sprite.ease && !EASINGS[sprite.ease]) faults.push(`ease ${sprite.ease} is unknown`);
  if (sprite.swarm && !(sprite.swarm.count >= 1 && sprite.swarm.count <= 80)) faults.push('swarm.count is not 1..80');
  return faults;
}

function lightFaults(light) {
  const faults = [];
  if (!LIGHTS.includes(light.kind)) faults.push(`kind ${light.kind} is unknown`);
  if (!isSpan(light.at)) faults.push('at is not [from, to] within 0..1');
  if (!light.colour) faults.push('colour is missing');
  return faults;
}

function emitterFaults(emitter) {
  const faults = [];
  if (!emitter.pieces && !SHAPES.includes(emitter.shape)) faults.push(`shape ${emitter.shape} is unknown`);
  if (!emitter.pieces && !emitter.colours?.length) faults.push('colours are missing');
  if (emitter.at && !isSpan(emitter.at)) faults.push('at is not [from, to] within 0..1');
  if (!(emitter.rate > 0) && !(emitter.burst > 0)) faults.push('neither rate nor burst');
  return faults;
}

const CHECKS = {
  sprites: spriteFaults,
  lights: lightFaults,
  emitters: emitterFaults,
  backdrops: backdrop => (BACKDROPS.includes(backdrop.kind) ? [] : [`kind ${backdrop.kind} is unknown`]),
};

function flashFaults(recipe, duration_ms) {
  const starts = (recipe.lights ?? []).filter(light => light.kind === 'bloom').map(light => light.at[0] * duration_ms).sort((a, b) => a - b);
  const fast = starts.some((start, i) => i >= FLASHES_PER_S && start - starts[i - FLASHES_PER_S] < 1000);
  return fast ? [`more than ${FLASHES_PER_S} flashes in a second`] : [];
}

/** What is wrong with a recipe played in `duration_ms`, in words; empty if it can be used. */
export function faultsOf(recipe, duration_ms) {
  const faults = [];
  for (const key of Object.keys(recipe)) if (!KEYS.has(key)) faults.push(`${key} is not a field of a recipe`);
  for (const list of Object.keys(LISTS)) {
    (recipe[list] ?? []).forEach((item, i) => {
      for (const fault of CHECKS[list](item)) faults.push(`${list}[${i}]: ${fault}`);
    });
  }
  return faults.length ? faults : flashFaults(recipe, duration_ms);
}

/** The recipes, a file per tier, each fetched when the tier is first needed. */
export class Recipes {
  #tiers = new Map();

  /** The recipe, else the tier's plain one, else null. Faults go to the console. */
  async get(tier, name) {
    if (!this.#tiers.has(tier)) this.#tiers.set(tier, load(tier));
    const recipes = await this.#tiers.get(tier);
    if (!recipes) this.#tiers.delete(tier);
    return recipes?.get(name) ?? recipes?.get('plain') ?? null;
  }
}

async function load(tier) {
  const recipes = new Map();
  try {
    const response = await fetch(new URL(`${tier}.json`, ROOT));
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    for (const [name, recipe] of Object.entries(await response.json())) {
      const faults = faultsOf(recipe, SHORTEST_MS[tier]);
      if (faults.length) console.error(`gift recipe ${tier}/${name}: ${faults.join('; ')}`);
      else recipes.set(name, recipe);
    }
    return recipes;
  } catch (error) {
    console.error(`gift recipes ${tier}.json: ${error.message}`);
    return null;
  }
}
