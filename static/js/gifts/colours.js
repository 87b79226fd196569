// Colours of recipes are hexadecimal, #rgb or #rrggbb.

/** `hex` with `percent` of opacity. Its transparent form keeps its hue, so that gradients have no dark edge. */
export function soft(hex, percent) {
  const full = hex.length === 4 ? `#${[...hex.slice(1)].map(digit => digit + digit).join('')}` : hex;
  return full + Math.round(Math.min(100, Math.max(0, percent)) * 2.55).toString(16).padStart(2, '0');
}
