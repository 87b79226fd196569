const SVG = 'http://www.w3.org/2000/svg';
const EDGE_PX = 6;

/** A small line of numbers over time, newest at the right, with a soft light below it and a dot on "now". */
export class Sparkline {
  #line = shape('path', { class: 'sparkline__line' });
  #area = shape('path', { class: 'sparkline__area' });
  #now = shape('circle', { class: 'sparkline__now', r: '4' });
  #values = [0, 0];

  /** @param {HTMLElement} host @param {(values: number[]) => string} describe the words for a screen reader */
  constructor(host, describe) {
    this.describe = describe;
    this.svg = shape('svg', { class: 'sparkline', role: 'img' });
    this.svg.append(gradient(), this.#area, this.#line, this.#now);
    host.replaceChildren(this.svg);
    this.resized = new ResizeObserver(() => this.draw(this.#values));
    this.resized.observe(host);
  }

  close() {
    this.resized.disconnect();
  }

  /** @param {(number|null)[]} values at least two, oldest first; the first may be unknown: null, and then there is no line */
  draw(values) {
    this.#values = values;
    const { clientWidth: width, clientHeight: height } = this.svg;
    const most = Math.max(4, ...values);
    const points = values
      .map((value, index) => [
        EDGE_PX + (index / (values.length - 1)) * (width - 2 * EDGE_PX),
        height - EDGE_PX - (value / most) * (height - 2 * EDGE_PX),
      ])
      .slice(values.findIndex((value) => value !== null));
    const path = smooth(points);
    const [lastX, lastY] = points.at(-1);
    this.#line.setAttribute('d', path);
    this.#area.setAttribute('d', `${path} L${lastX} ${height} L${points[0][0]} ${height} Z`);
    this.#now.setAttribute('cx', String(lastX));
    this.#now.setAttribute('cy', String(lastY));
    this.svg.setAttribute('aria-label', this.describe(values));
  }
}

/** A curve through all points that never overshoots: control points stay at the height of their own point. */
function smooth(points) {
  let path = `M${points[0][0]} ${points[0][1]}`;
  for (let index = 1; index < points.length; index += 1) {
    const [fromX, fromY] = points[index - 1];
    const [toX, toY] = points[index];
    const middle = (fromX + toX) / 2;
    path += ` C${middle} ${fromY} ${middle} ${toY} ${toX} ${toY}`;
  }
  return path;
}

function gradient() {
  const definitions = shape('defs');
  const fade = shape('linearGradient', { id: 'sparkline-fade', x1: '0', x2: '0', y1: '0', y2: '1' });
  fade.append(shape('stop', { offset: '0', class: 'sparkline__fade-from' }));
  fade.append(shape('stop', { offset: '1', class: 'sparkline__fade-to' }));
  definitions.append(fade);
  return definitions;
}

function shape(name, attributes = {}) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}
