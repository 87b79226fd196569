// Easing curves, as functions of 0..1 and as CSS text. Nothing in the layer is linear but time bars.

export const CSS_ARRIVE = 'cubic-bezier(.16,1,.3,1)';
export const CSS_LEAVE = 'cubic-bezier(.7,0,.84,0)';
export const CSS_SWAY = 'cubic-bezier(.45,.05,.55,.95)';

function bezier(x1, y1, x2, y2) {
  const cx = 3 * x1, bx = 3 * (x2 - x1) - cx, ax = 1 - cx - bx;
  const cy = 3 * y1, by = 3 * (y2 - y1) - cy, ay = 1 - cy - by;
  return u => {
    if (u <= 0) return 0;
    if (u >= 1) return 1;
    let s = u;
    for (let i = 0; i < 6; i += 1) {
      const slope = (3 * ax * s + 2 * bx) * s + cx;
      if (Math.abs(slope) < 1e-5) break;
      s -= (((ax * s + bx) * s + cx) * s - u) / slope;
    }
    return ((ay * s + by) * s + cy) * s;
  };
}

export const EASINGS = Object.freeze({
  arrive: bezier(.16, 1, .3, 1),
  leave: bezier(.7, 0, .84, 0),
  sway: bezier(.45, .05, .55, .95),
  // Quick at both ends and slow in the middle: a crossing one has time to see.
  linger: u => {
    const v = 2 * Math.min(1, Math.max(0, u)) - 1;
    return .5 + .5 * v * (.42 + .58 * v * v);
  },
  drift: u => Math.min(1, Math.max(0, u)),
});

export const smooth = u => (u <= 0 ? 0 : u >= 1 ? 1 : u * u * (3 - 2 * u));

/** Value at `u` of keys `[[u, value], ...]` in rising order, eased between neighbours. */
export function keyed(keys, u) {
  if (u <= keys[0][0]) return keys[0][1];
  for (let i = 1; i < keys.length; i += 1) {
    if (u <= keys[i][0]) {
      const [u0, v0] = keys[i - 1], [u1, v1] = keys[i];
      return v0 + (v1 - v0) * smooth((u - u0) / (u1 - u0 || 1));
    }
  }
  return keys[keys.length - 1][1];
}

/** One coordinate of the Catmull-Rom curve through `points`, at `p` in 0..1. */
export function along(points, axis, p) {
  const last = points.length - 1;
  if (last === 0) return points[0][axis];
  const at = Math.min(.999999, Math.max(0, p)) * last;
  const i = Math.floor(at), f = at - i;
  const b = points[i][axis], c = points[i + 1][axis];
  const a = i > 0 ? points[i - 1][axis] : 2 * b - c;
  const d = i + 2 <= last ? points[i + 2][axis] : 2 * c - b;
  return .5 * (2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f * f + (3 * b - a - 3 * c + d) * f * f * f);
}
