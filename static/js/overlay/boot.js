/**
 * Starts the overlay, for ever. A streaming program opens this page once and nobody looks at it again: if the server is
 * away while the page's own code is being fetched, wait until it answers, then load the page anew.
 */

const FIRST_MS = 1_000;
const MOST_MS = 15_000;

try {
  await import('./main.js');
} catch (error) {
  console.warn('The overlay could not start and will try again.', error);
  document.documentElement.dataset.state = 'waiting';
  for (let wait = FIRST_MS; ; wait = Math.min(wait * 2, MOST_MS)) {
    await new Promise((done) => setTimeout(done, wait * (0.5 + Math.random() / 2)));
    const answer = await fetch(location.href, { cache: 'no-store' }).catch(() => null);
    if (answer?.ok) break;
  }
  location.reload();
}
