// Gift pictures: SVG files loaded once, and lit bitmaps of them at the sizes a scene needs.

import { canvasOf } from './shapes.js';

const ROOT = new URL('../../gifts/', import.meta.url);
const KEPT_BITMAPS = 96;
const GLOW_PAD = .22;

/** The name of a gift's picture: its id, but for a gift the catalogue does not know. */
export const pictureOf = gift => gift.picture ?? gift.id;

export const artUrl = name => new URL(`${name}.svg`, ROOT).href;

export class Art {
  #images = new Map();
  #bitmaps = new Map();

  /** The image, decoded. A picture that cannot be had is null: a show goes on without it. */
  load(name) {
    let loading = this.#images.get(name);
    if (!loading) {
      const image = new Image();
      image.src = artUrl(name);
      loading = image.decode().then(() => image, () => null);
      this.#images.set(name, loading);
      loading.then(found => { if (!found) this.#images.delete(name); });
    }
    return loading;
  }

  /** `{canvas, pad}`: the picture lit from above, `pad` of its size on each side for its glow. */
  bitmap(name, image, size_px, glow) {
    const rounded = Math.min(720, Math.max(32, Math.ceil(size_px / 32) * 32));
    const key = `${name}|${rounded}|${glow ?? ''}`;
    const kept = this.#bitmaps.get(key);
    if (kept) {
      this.#bitmaps.delete(key);
      this.#bitmaps.set(key, kept);
      return kept;
    }
    const made = paint(image, rounded, glow);
    this.#bitmaps.set(key, made);
    if (this.#bitmaps.size > KEPT_BITMAPS) this.#bitmaps.delete(this.#bitmaps.keys().next().value);
    return made;
  }

  /** `count` triangular pieces of the picture, to break it with. */
  pieces(name, image, size_px, count) {
    const key = `${name}|pieces|${size_px}|${count}`;
    let made = this.#bitmaps.get(key);
    if (!made) {
      const whole = paint(image, size_px, null).canvas;
      made = Array.from({ length: count }, (_, i) => piece(whole, i, count));
      this.#bitmaps.set(key, made);
    }
    return made;
  }
}

function paint(image, size_px, glow) {
  const ratio = image.naturalWidth / image.naturalHeight || 1;
  const width = ratio >= 1 ? size_px : size_px * ratio;
  const height = ratio >= 1 ? size_px / ratio : size_px;
  const lit = canvasOf(width, height);
  const ctx = lit.getContext('2d');
  ctx.drawImage(image, 0, 0, width, height);
  const light = ctx.createLinearGradient(0, 0, width * .25, height);
  light.addColorStop(0, 'rgba(255,255,255,.26)');
  light.addColorStop(.42, 'rgba(255,255,255,0)');
  light.addColorStop(.6, 'rgba(24,6,60,0)');
  light.addColorStop(1, 'rgba(24,6,60,.34)');
  ctx.globalCompositeOperation = 'source-atop';
  ctx.fillStyle = light;
  ctx.fillRect(0, 0, width, height);
  if (!glow) return { canvas: lit, pad: 0 };
  const pad = Math.round(size_px * GLOW_PAD);
  const canvas = canvasOf(width + 2 * pad, height + 2 * pad);
  const out = canvas.getContext('2d');
  out.shadowColor = glow;
  out.shadowBlur = size_px * .16;
  out.drawImage(lit, pad, pad);
  out.shadowBlur = size_px * .05;
  out.drawImage(lit, pad, pad);
  return { canvas, pad: pad / size_px };
}

function piece(whole, index, count) {
  const { width, height } = whole;
  const canvas = canvasOf(width, height);
  const ctx = canvas.getContext('2d');
  const from = index / count * 2 * Math.PI, to = (index + 1) / count * 2 * Math.PI;
  ctx.beginPath();
  ctx.moveTo(width / 2, height / 2);
  ctx.lineTo(width / 2 + width * Math.cos(from), height / 2 + height * Math.sin(from));
  ctx.lineTo(width / 2 + width * Math.cos(to), height / 2 + height * Math.sin(to));
  ctx.clip();
  ctx.drawImage(whole, 0, 0);
  return canvas;
}
