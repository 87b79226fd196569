const SVG = 'http://www.w3.org/2000/svg';

/** Line icons on a 24-unit grid, drawn with the text colour. */
const PATHS = {
  check: ['M5 12.5l4.5 4.5L19 7.5'],
  clock: ['M12 7v5l3 2', 'M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18z'],
  close: ['M6 6l12 12', 'M18 6L6 18'],
  copy: ['M9 9h10v11H9z', 'M5 15V4h10'],
  eye: ['M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z', 'M12 9.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 0 0 0-5z'],
  'eye-off': ['M4 4l16 16', 'M9.5 5.9A9 9 0 0 1 12 5.5c6 0 9.5 6.5 9.5 6.5a16 16 0 0 1-2.7 3.4', 'M6.2 7.8A15 15 0 0 0 2.5 12S6 18.5 12 18.5a9 9 0 0 0 3.8-.8'],
  heart: ['M12 20s-7.5-4.6-7.5-10A4.3 4.3 0 0 1 12 7.3 4.3 4.3 0 0 1 19.5 10c0 5.4-7.5 10-7.5 10z'],
  people: ['M9 11.5a3.5 3.5 0 1 0 0-7a3.5 3.5 0 0 0 0 7z', 'M2.5 19.5c.5-3.5 3-5.5 6.5-5.5s6 2 6.5 5.5', 'M16 4.8a3.3 3.3 0 0 1 0 6.4', 'M18 14.3c2 .7 3.2 2.5 3.5 5.2'],
  play: ['M8 5.5v13l10.5-6.5z'],
  plus: ['M12 5v14', 'M5 12h14'],
  rotate: ['M20 5v5h-5', 'M19.5 10A8 8 0 1 0 20 14'],
  search: ['M10.5 4a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13z', 'M15.5 15.5L20 20'],
  wallet: ['M4 7.5h15a1 1 0 0 1 1 1V18a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V6.5A2.5 2.5 0 0 1 6.5 4H17', 'M16 13.5h.01'],
  arrow: ['M5 12h14', 'M13 6l6 6-6 6'],
  stage: ['M3 6h18v10H3z', 'M8 20h8'],
};

/**
 * @param {keyof PATHS} name
 * @returns {SVGSVGElement} hidden from assistive technology: the control around it carries the words
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('width', '20');
  svg.setAttribute('height', '20');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  for (const shape of PATHS[name]) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', shape);
    svg.append(path);
  }
  return svg;
}
