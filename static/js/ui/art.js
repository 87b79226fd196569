import { element } from './element.js';
import { icon } from './icons.js';

/** The picture of a gift with the light of its tier behind it; decorative, because its name always stands beside it. */
export function giftArt(names, id, size = 40) {
  const address = names.art(id);
  const picture = address
    ? element('img', { src: address, alt: '', width: size, height: size, loading: 'lazy', decoding: 'async' })
    : element('span.coin-mark', {});
  return element('span.gift-art', { 'aria-hidden': 'true', data: { tier: names.tier(id) } }, picture);
}

/** A disc with an icon, for rows that are about money and not about a gift. */
export function coinArt(name = 'plus') {
  return element('span.gift-art', { 'aria-hidden': 'true', data: { tier: 'money' } }, icon(name));
}
