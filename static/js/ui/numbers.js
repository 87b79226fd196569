const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const plurals = new Intl.PluralRules('en');

/** 12340 → "12,340". */
export function count(value) {
  return whole.format(value);
}

/** 12340 → "12.3K", for places where the exact number stands elsewhere. */
export function compact(value) {
  return value < 10_000 ? whole.format(value) : short.format(value);
}

/** 1 → "1 coin", 12 → "12 coins". */
export function counted(value, one, many = `${one}s`) {
  return `${whole.format(value)} ${plurals.select(value) === 'one' ? one : many}`;
}

/** −3 → "−3", 70 → "+70"; the minus is a real one, as wide as the plus. */
export function signed(value) {
  if (value === 0) return '0';
  return `${value < 0 ? '−' : '+'}${whole.format(Math.abs(value))}`;
}
