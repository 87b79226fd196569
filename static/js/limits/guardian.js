import { copyButton } from '../ui/copy.js';
import { ask } from '../ui/dialog.js';
import { element, fill } from '../ui/element.js';
import { clockIn } from '../ui/moments.js';
import { onPress } from './press.js';

const LOOK_MS = 3_000;

/** Who looks after the reader: a code to hand over where there is nobody, the name and the way out where there is. */
export class Guardian {
  #told;
  #timer = 0;

  /**
   * @param {{code: () => Promise<{code: string, expires_at_ms: number}>, leave: () => Promise<void>, look: () => Promise<void>}} parts
   *   `look` asks for the limits anew: whether the code was used
   */
  constructor({ code, leave, look }) {
    Object.assign(this, { code, leave, look });
    this.node = element('div.guardian');
  }

  update({ guardian }) {
    if (guardian === this.#told) return;
    this.#told = guardian;
    this.close();
    if (guardian === null) this.#alone();
    else this.#looked(guardian);
  }

  /** Nobody looks at the code any more. */
  close() {
    clearTimeout(this.#timer);
  }

  #alone(...more) {
    const button = element('button.button', { type: 'button' }, 'Ask somebody to look after your spending');
    onPress(button, async () => this.#show(await this.code()));
    fill(
      this.node,
      element('p.small.secondary', {}, 'A guardian sees what you send and buy, and can set limits beside yours and breaks. Give the code to somebody you trust.'),
      ...more,
      button,
      element('a.guardian__other.small', { href: '/guardian' }, 'Look after somebody'),
    );
  }

  #show({ code, expires_at_ms: ends }) {
    fill(
      this.node,
      element('p.small.secondary', {}, 'They open the page Guardian on this site, as themselves, and enter this code. It is good once.'),
      element('p.guardian__code', { role: 'status' }, element('span.visually-hidden', {}, 'The code is '), element('code', {}, code), copyButton(code, 'Copy the code')),
      element('p.small', {}, `Until ${clockIn(ends)}. Page: ${location.origin}/guardian`),
    );
    this.#wait(ends);
  }

  /** Until the code is used or over; `update` ends it when there is a guardian. */
  #wait(ends) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      if (Date.now() >= ends) return this.#alone(element('p.small', { role: 'status' }, 'The code has ended. Make another one.'));
      if (!document.hidden) await this.look();
      if (this.#told === null) this.#wait(ends);
    }, LOOK_MS);
  }

  #looked(guardian) {
    const button = onPress(element('button.button.button--quiet', { type: 'button' }, 'Leave'), async () => {
      const sure = await ask({
        title: `Leave ${guardian}?`,
        text: `${guardian} no longer sees what you send and buy. The limits they set hold for 24 hours more, a break until it ends.`,
        yes: 'Leave',
        no: 'Stay',
      });
      if (sure) await this.leave();
    });
    fill(this.node, element('p.guardian__name', {}, element('b', {}, guardian), ' looks after your spending.'), button);
  }
}
