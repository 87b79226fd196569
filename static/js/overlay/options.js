/** What the overlay's address says: /overlay/<token>?lanes=3&min_coins=0&volume=0.8&scale=1&quality=high&theme=halo&setup=1 */

const THEMES = ['halo', 'strong', 'plain'];

/** Every option, within its bounds; what cannot be read is its default. */
export function readOptions(address = location) {
  const query = new URLSearchParams(address.search);
  const number = (name, fallback, least, most) => {
    const value = Number.parseFloat(query.get(name) ?? '');
    return Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : fallback;
  };
  const theme = query.get('theme');
  return {
    token: decodeURIComponent(address.pathname.split('/')[2] ?? ''),
    lanes: Math.round(number('lanes', 3, 1, 6)),
    minCoins: Math.round(number('min_coins', 0, 0, 1_000_000)),
    volume: number('volume', 0.8, 0, 1),
    scale: number('scale', 1, 0.25, 4),
    quality: query.get('quality') === 'low' ? 'low' : 'high',
    theme: THEMES.includes(theme) ? theme : THEMES[0],
    language: query.get('language') ?? navigator.language.split('-')[0],
    setup: query.get('setup') === '1',
  };
}
