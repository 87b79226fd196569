import { copyButton } from '../ui/copy.js';
import { ask } from '../ui/dialog.js';
import { element, fill } from '../ui/element.js';
import { icon } from '../ui/icons.js';
import { toast } from '../ui/toast.js';

/** The address for OBS. Hidden until asked for, because this page may itself be on the stream. */
export class OverlayLink {
  #address = '';
  #seen = false;

  /** @param {Session} session @param {string} path of this room's studio */
  constructor(session, path) {
    this.session = session;
    this.path = path;
    this.host = document.getElementById('overlay-link');
    this.field = element('input.input.link__field', { type: 'text', readonly: true, 'aria-labelledby': 'overlay-title', spellcheck: 'false' });
    this.eye = element('button.icon-button', { type: 'button', 'aria-pressed': 'false', 'aria-label': 'Show the link', title: 'Show the link' });
    this.setup = element('a.button.button--quiet', { target: '_blank', rel: 'noopener' }, 'Open setup');
    const rotate = element('button.button.button--quiet', { type: 'button' }, icon('rotate'), 'New link');
    rotate.addEventListener('click', () => this.#rotate());
    this.eye.addEventListener('click', () => this.#reveal(!this.#seen));
    this.field.addEventListener('focus', () => this.#seen && this.field.select());
    fill(
      this.host,
      element('div.link__row', {}, this.field, this.eye, copyButton(() => this.#address, 'Copy the overlay link')),
      element('div.link__actions', {}, this.setup, rotate),
    );
    this.#reveal(false);
  }

  close() {
    fill(this.host);
  }

  /** @param {string} address as the server gave it; a path is completed with this page's origin */
  show(address) {
    const url = new URL(address, location.href);
    this.#address = url.href;
    url.searchParams.set('setup', '1');
    this.setup.href = url.href;
    this.#reveal(this.#seen);
  }

  #reveal(seen) {
    this.#seen = seen;
    this.field.value = seen ? this.#address : masked(this.#address);
    this.eye.setAttribute('aria-pressed', String(seen));
    fill(this.eye, icon(seen ? 'eye-off' : 'eye'));
  }

  async #rotate() {
    const sure = await ask({
      title: 'Make a new overlay link?',
      text: 'The link you use now stops working at once. Put the new one into OBS afterwards.',
      yes: 'Make a new link',
      no: 'Keep this link',
    });
    if (!sure) return;
    try {
      const { overlay_url } = await this.session.post(`${this.path}/overlay/rotate`);
      this.show(overlay_url);
      toast('Your overlay has a new link. The old one is closed.', { tone: 'good' });
    } catch (error) {
      toast(`The link did not change. ${error.message}`, {
        tone: 'bad',
        action: { label: 'Try again', run: () => this.#rotate() },
      });
    }
  }
}

function masked(address) {
  if (address === '') return 'Checking…';
  const url = new URL(address);
  return `${url.host}/overlay/••••••••`;
}
