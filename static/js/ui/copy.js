import { element, fill } from './element.js';
import { icon } from './icons.js';
import { toast } from './toast.js';

const THANKS_MS = 1_600;

/** An icon button that copies `value` (or what it returns) and says so. */
export function copyButton(value, label) {
  const button = element('button.icon-button', { type: 'button', 'aria-label': label, title: label }, icon('copy'));
  button.addEventListener('click', async () => {
    const text = typeof value === 'function' ? value() : value;
    if (await copied(text)) {
      fill(button, icon('check'));
      toast('Copied.', { tone: 'good', shown_ms: THANKS_MS });
      setTimeout(() => fill(button, icon('copy')), THANKS_MS);
    } else {
      toast('The browser did not allow copying. Select the text and copy it by hand.', { tone: 'bad' });
    }
  });
  return button;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
