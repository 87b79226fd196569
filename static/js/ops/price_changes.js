import { count } from '../ui/numbers.js';
import { amountOf } from '../ui/money.js';
import { customOf, promotionOf, regionOf } from './price_words.js';

/**
 * What one price list changes of another, a sentence for each thing. Never empty where the lists differ.
 *
 * @param {object} before @param {object} after lists as the server tells them
 * @returns {string[]}
 */
export function changesOf(before, after) {
  const said = [
    ...pairs(before.regions, after.regions, (region) => region.countries.join()).flatMap(([old, now]) => regionChanges(old, now)),
    ...pairs(before.promotions, after.promotions, (promotion) => promotion.id).flatMap(([old, now]) => promotionChanges(old, now)),
  ];
  if (said.length > 0 || same(before, after)) return said;
  return ['Only the order of things is another.'];
}

function regionChanges(old, now) {
  if (old === null) return [`New: ${regionOf(now)}, with ${now.packs.map((pack) => packOf(pack, now)).join(', ') || 'no packs'}. Any number: ${customOf(now)}.`];
  if (now === null) return [`No longer a region of its own: ${regionOf(old)}.`];
  const where = regionOf(now);
  const currency = old.currency === now.currency ? [] : [`${where}: paid in ${now.currency} instead of ${old.currency}.`];
  const custom = customOf(old) === customOf(now) ? [] : [`${where}: any number of coins: ${customOf(now)}, instead of ${customOf(old)}.`];
  const packs = pairs(old.packs, now.packs, (pack) => pack.coins).flatMap(([one, other]) => packChanges(where, [one, old], [other, now]));
  return [...currency, ...packs, ...custom];
}

function packChanges(where, [old, before], [now, after]) {
  if (old === null) return [`${where}: new pack, ${packOf(now, after)}.`];
  if (now === null) return [`${where}: no pack of ${count(old.coins)} coins any more.`];
  const said = [];
  const [price, was] = [amountOf(now.amount_minor, after.currency), amountOf(old.amount_minor, before.currency)];
  if (price !== was) said.push(`${where}: ${count(now.coins)} coins cost ${price} instead of ${was}.`);
  if (now.id !== old.id) said.push(`${where}: the pack of ${count(now.coins)} coins is called ${now.id} instead of ${old.id}.`);
  return said;
}

function promotionChanges(old, now) {
  if (old === null) return [`New promotion “${now.title}”: ${promotionOf(now)}`];
  if (now === null) return [`No promotion “${old.title}” any more.`];
  if (same(old, now)) return [];
  return [`Promotion “${now.title}” is now: ${promotionOf(now)} Before, “${old.title}”: ${promotionOf(old)}`];
}

function packOf(pack, { currency }) {
  return `${count(pack.coins)} coins for ${amountOf(pack.amount_minor, currency)}`;
}

/** [before, after] of everything that has the same name, null where one of them is not there. */
function pairs(before, after, nameOf) {
  const old = new Map(before.map((one) => [nameOf(one), one]));
  const now = new Map(after.map((one) => [nameOf(one), one]));
  const names = new Set([...old.keys(), ...now.keys()]);
  return [...names].map((name) => [old.get(name) ?? null, now.get(name) ?? null]);
}

function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}
