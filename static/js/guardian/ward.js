import { Break, drawBreak } from '../limits/break.js';
import { LimitsEditor } from '../limits/editor.js';
import { drawMeters } from '../limits/meters.js';
import { fold, freshId, onPress } from '../limits/press.js';
import { drawWaiting } from '../limits/waiting.js';
import { ask } from '../ui/dialog.js';
import { avatar, element, fill } from '../ui/element.js';

/** One person who is looked after: what they sent and bought, limits for them, a break, and the end of it. */
export class Ward {
  #drawn = false;
  #asked = 0;

  /** @param {{session: Session, ward: {user: string, name: string}, ended: (wards: object[]) => void, left: () => void}} parts */
  constructor({ session, ward, ended, left }) {
    this.session = session;
    this.ward = ward;
    this.ended = ended;
    this.left = left;
    this.path = `/v1/guardian/wards/${encodeURIComponent(ward.user)}`;
    this.#build();
  }

  /** Ask for what holds; what is shown stays when no answer comes. */
  async refresh() {
    this.#asked += 1;
    const asked = this.#asked;
    try {
      const answer = await this.session.get(`${this.path}/limits`);
      if (asked === this.#asked) this.#draw(answer);
    } catch (error) {
      if (asked !== this.#asked) return;
      if (error.code === 'not_your_ward') this.left();
      else if (!this.#drawn) this.#excuse(error);
    }
  }

  focus() {
    this.title.focus();
  }

  #build() {
    const id = freshId('ward');
    this.title = element('h2.ward__name', { id, tabindex: -1 }, this.ward.name);
    this.rest = element('p.limits__break', { role: 'status', hidden: true });
    this.held = element('div.limits__held', {}, element('div.skeleton.limits__skeleton', { 'aria-hidden': 'true' }));
    this.waiting = element('div.waiting', { hidden: true });
    this.editor = new LimitsEditor({ scope: 'guardian', save: (wishes) => this.#change('PUT', 'limits', wishes) });
    this.pause = new Break({ who: this.ward.name, take: (hours) => this.#change('POST', 'break', { hours }) });
    this.stop = onPress(element('button.button.button--quiet', { type: 'button' }, 'Stop looking after'), () => this.#stop());
    this.folds = element(
      'div.limits__folds', { hidden: true },
      fold('Change their limits', this.editor.node),
      fold('Have them take a break', this.pause.node),
      fold('Stop looking after', element('p.small.secondary', {}, 'The limits that you set hold for 24 hours more.'), this.stop),
    );
    this.node = element(
      'li.limits', { 'aria-labelledby': id, data: { ward: this.ward.user } },
      element('header.ward__head', {}, avatar(this.ward.user, this.ward.name), this.title),
      this.rest, this.held, this.waiting, this.folds,
    );
  }

  async #change(method, what, body) {
    const answer = await this.session.request(method, `${this.path}/${what}`, body);
    this.#asked += 1; // a question of before is answered by now
    this.#draw(answer);
  }

  #draw(answer) {
    this.#drawn = true;
    this.folds.hidden = false;
    drawBreak(this.rest, answer, `${this.ward.name} is`);
    drawMeters(this.held, answer, { guardian: 'you', own: 'their own' });
    drawWaiting(this.waiting, answer, { scope: 'guardian', other: 'their own', keep: (change) => this.#change('PUT', 'limits', change) });
    for (const part of [this.editor, this.pause]) part.update(answer);
  }

  #excuse(error) {
    const again = onPress(element('button.button.button--quiet', { type: 'button' }, 'Load the limits again'), () => this.refresh());
    fill(this.held, element('p.small', { role: 'alert' }, `Their limits did not come. ${error.message}`), element('p', {}, again));
  }

  async #stop() {
    const { name } = this.ward;
    const sure = await ask({
      title: `Stop looking after ${name}?`,
      text: `You no longer see what ${name} sends and buys. The limits that you set hold for 24 hours more; a break holds until it ends.`,
      yes: 'Stop',
    });
    if (sure) this.ended((await this.session.request('DELETE', this.path)).wards);
  }
}
