import { element, fill } from '../ui/element.js';
import { Break, drawBreak } from '../limits/break.js';
import { SessionBudget } from '../limits/budget.js';
import { LimitsEditor } from '../limits/editor.js';
import { Guardian } from '../limits/guardian.js';
import { drawMeters } from '../limits/meters.js';
import { fold, onPress } from '../limits/press.js';
import { drawWaiting } from '../limits/waiting.js';
import { Zone } from '../limits/zone.js';

const LATER_MS = 1_000;
const SOONEST_MS = 5_000;
const AGAIN_MS = 30_000;
const LONGEST_WAIT_MS = 3_600_000;

/** The reader's limits: what holds and what is left of it, changing it, breaks, the zone, and who looks after them. */
export class Limits {
  #answer = null;
  #asked = 0;
  #timer = 0;
  #coins = null;

  /** @param {{session: Session, balance: Balance, changed: () => void}} parts `changed` runs after a decision */
  constructor({ session, balance, changed }) {
    this.session = session;
    this.changed = changed;
    this.section = document.getElementById('limits');
    this.rest = element('p.limits__break', { role: 'status', hidden: true });
    this.held = element('div.limits__held');
    this.waiting = element('div.waiting', { hidden: true });
    this.words = element('div.limits__words', { role: 'status' });
    this.title = element('h2.limits__title', { id: 'limits-title', tabindex: -1 }, 'Limits');
    balance.follow((coins) => this.#moved(coins));
    document.addEventListener('visibilitychange', () => document.hidden || this.refresh());
  }

  /** Ask for the limits of whoever is signed in, and show them once they are there. */
  async open() {
    this.close();
    this.#build();
    this.section.hidden = false;
    await this.#ask();
  }

  close() {
    this.#asked += 1;
    this.#answer = null;
    this.#coins = null;
    clearTimeout(this.#timer);
    this.guardian?.close();
    this.section.hidden = true;
  }

  /** Bring the section into sight: the page was opened for it. */
  reveal() {
    this.section.scrollIntoView({ block: 'start' });
    this.title.focus({ preventScroll: true, focusVisible: false });
  }

  /** The part in which somebody is asked to look after the reader. */
  revealGuardian() {
    const part = this.guardian.node.closest('details');
    part.open = true;
    part.scrollIntoView({ block: 'center' });
    part.querySelector('summary').focus({ preventScroll: true });
  }

  /** Ask again; quiet when no answer comes, what is shown stays. */
  async refresh() {
    if (this.#answer !== null) await this.#ask();
  }

  async #ask() {
    this.#asked += 1;
    const asked = this.#asked;
    try {
      const answer = await this.session.get('/v1/limits');
      if (asked !== this.#asked) return;
      const before = this.#answer;
      this.#draw(answer);
      if (before !== null && before.guardian !== answer.guardian) this.changed();
    } catch (error) {
      if (asked !== this.#asked) return;
      if (this.#answer === null) this.#excuse(error);
      else this.#in(AGAIN_MS);
    }
  }

  /** Change something: the answer is what holds then. */
  async #change(method, path, body) {
    const answer = await this.session.request(method, path, body);
    this.#asked += 1; // a question of before is answered by now
    if (this.#answer !== null) this.#draw(answer);
    this.changed();
  }

  #build() {
    const put = (path, body) => this.#change('PUT', path, body);
    this.editor = new LimitsEditor({ scope: 'own', save: (wishes) => put('/v1/limits', wishes) });
    this.budget = new SessionBudget((budget) => this.#change('POST', '/v1/limits/session', budget));
    this.pause = new Break({ who: null, take: (hours) => this.#change('POST', '/v1/limits/break', { hours }) });
    this.zone = new Zone((zone) => put('/v1/limits/zone', { zone }));
    this.guardian = new Guardian({
      code: () => this.session.post('/v1/guardian/codes'),
      leave: () => this.#change('DELETE', '/v1/guardian'),
      look: () => this.#ask(),
    });
    this.folds = element(
      'div.limits__folds', {},
      fold('Change my limits', this.editor.node),
      fold('A budget for now', this.budget.node),
      fold('Take a break', this.pause.node),
      fold('Time zone', this.zone.node),
      fold('Guardian', this.guardian.node),
    );
    this.folds.hidden = true;
    this.waiting.hidden = true;
    this.rest.hidden = true;
    delete this.waiting.dataset.told;
    fill(this.held, element('div.skeleton.limits__skeleton', { 'aria-hidden': 'true' }));
    fill(this.words);
    fill(this.section, this.title, this.rest, this.held, this.waiting, this.words, this.folds);
  }

  #draw(answer) {
    this.#answer = answer;
    fill(this.words);
    this.folds.hidden = false;
    drawBreak(this.rest, answer, 'You are');
    drawMeters(this.held, answer, { guardian: answer.guardian ?? 'your guardian', own: 'set by you' });
    drawWaiting(this.waiting, answer, {
      scope: 'own',
      other: 'your guardian’s',
      keep: (change) => this.#change('PUT', change.zone === undefined ? '/v1/limits' : '/v1/limits/zone', change),
    });
    for (const part of [this.editor, this.budget, this.pause, this.zone, this.guardian]) part.update(answer);
    this.#wake(answer);
  }

  #excuse(error) {
    const again = onPress(element('button.button.button--quiet', { type: 'button' }, 'Load the limits again'), () => this.#ask());
    fill(this.held);
    fill(this.words, element('p.small', {}, `Your limits did not come. ${error.message}`), again);
  }

  /** Coins moved: a moment later, when several did, what is left is another. */
  #moved(coins) {
    const before = this.#coins;
    this.#coins = coins;
    if (before === null || before === coins || this.#answer === null) return;
    this.#in(LATER_MS);
  }

  /** Ask again when the next window ends or the next change begins. */
  #wake(answer) {
    const moments = [answer.break_until_ms, ...answer.limits.map((one) => one.resets_at_ms), ...answer.waiting.map((one) => one.from_at_ms)];
    const next = Math.min(...moments.filter((at) => at !== null)) - Date.now();
    this.#in(Math.max(SOONEST_MS, Math.min(next + LATER_MS, LONGEST_WAIT_MS)));
  }

  #in(wait_ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), wait_ms);
  }
}
