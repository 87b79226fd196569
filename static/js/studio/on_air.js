import { ask } from '../ui/dialog.js';
import { toast } from '../ui/toast.js';

const REFUSED_SHOWN_MS = 20_000;

/** The live/offline switch. It shows what the server says, never what was hoped for. */
export class OnAir {
  #live = null;
  #heard = new AbortController();

  /** @param {Session} session @param {string} room */
  constructor(session, room) {
    this.session = session;
    this.path = `/v1/rooms/${encodeURIComponent(room)}/live`;
    this.button = document.getElementById('on-air');
    this.words = document.getElementById('on-air-words');
    this.button.disabled = true;
    this.words.textContent = 'Checking';
    this.button.addEventListener('click', () => this.#turn(!this.#live), { signal: this.#heard.signal });
  }

  close() {
    this.#heard.abort();
  }

  /** @param {{status: string, title: string}} room from the snapshot or a room push */
  show({ status, title }) {
    this.#live = status === 'live';
    this.button.disabled = false;
    this.button.setAttribute('aria-checked', String(this.#live));
    this.words.textContent = this.#live ? 'Live, gifts are open' : 'Offline, gifts are closed';
    document.documentElement.dataset.live = String(this.#live);
    if (title) document.getElementById('room-title').textContent = title;
  }

  async #turn(live) {
    if (!live) {
      const sure = await ask({
        title: 'End the stream?',
        text: 'Gifts close at once. What was sent already is yours and stays on the list.',
        yes: 'Go offline',
        no: 'Stay live',
      });
      if (!sure) return;
    }
    this.button.disabled = true;
    this.words.textContent = live ? 'Going live…' : 'Going offline…';
    try {
      await this.session.post(this.path, { live });
      if (!this.#heard.signal.aborted) this.show({ status: live ? 'live' : 'offline' });
    } catch (error) {
      if (this.#heard.signal.aborted) return;
      this.show({ status: this.#live ? 'live' : 'offline' });
      toast(`You are still ${this.#live ? 'live' : 'offline'}. ${error.message}`, {
        tone: 'bad',
        shown_ms: REFUSED_SHOWN_MS,
        action: error.temporary ? { label: 'Try again', run: () => this.#turn(live) } : undefined,
      });
    }
  }
}
