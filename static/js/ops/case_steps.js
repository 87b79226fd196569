import { ask } from '../ui/dialog.js';
import { element } from '../ui/element.js';
import { OUTCOMES } from './case_words.js';
import { saidOf } from './payment_words.js';

const REASON_LENGTH_MAX = 500;

/** What an operator may do about a case: a note, the hold, the ban, the end; each with a reason that the audit log keeps. */
export class CaseSteps {
  #case = null;
  #busy = false;

  /** @param {{session: Session, done: (changed: object|null) => void}} parts `done` hears that the case changed, or may have */
  constructor({ session, done }) {
    this.session = session;
    this.done = done;
    this.reason = element('textarea.input.case__reason', { id: 'case-reason', rows: '2', maxlength: REASON_LENGTH_MAX, autocomplete: 'off', 'aria-describedby': 'case-problem' });
    this.problem = element('p.back__problem.small', { id: 'case-problem', role: 'alert', hidden: true });
    this.news = element('p.back__news.small', { role: 'status', hidden: true });
    this.note = this.#button('Keep as a note', () => this.#post('note', 'Noted.'));
    this.hold = this.#button('Put the wallet on hold', () => this.#hold());
    this.release = this.#button('End the hold', () => this.#release());
    this.ban = this.#button('Ban from live', () => this.#ban());
    this.unban = this.#button('End the ban', () => this.#unban());
    this.outcome = element('select.input', { id: 'case-outcome' }, element('option', { value: '' }, 'Choose an outcome'), ...Object.entries(OUTCOMES).map(([value, text]) => element('option', { value }, text)));
    this.ending = element('select.input', { id: 'case-ending' }, element('option', { value: '' }, 'Choose what becomes of it'), element('option', { value: 'end' }, 'The hold ends'), element('option', { value: 'keep' }, 'The hold stays'));
    this.endingField = element('div.field', {}, element('label', { for: 'case-ending' }, 'The wallet’s hold'), this.ending);
    this.banEnding = element('select.input', { id: 'case-ban-ending' }, element('option', { value: '' }, 'Choose what becomes of it'), element('option', { value: 'end' }, 'The ban ends'), element('option', { value: 'keep' }, 'The ban stays'));
    this.banEndingField = element('div.field', {}, element('label', { for: 'case-ban-ending' }, 'The ban from live'), this.banEnding);
    this.close = this.#button('Close the case', () => this.#close());
    this.end = element('div.case__end', {}, element('div.field', {}, element('label', { for: 'case-outcome' }, 'Outcome, which who reported it sees'), this.outcome), this.endingField, this.banEndingField, this.close);
    this.node = element(
      'section.back',
      { 'aria-labelledby': 'case-steps-title', hidden: true },
      element('h3', { id: 'case-steps-title' }, 'Decide'),
      this.news,
      element('div.field', {}, element('label', { for: 'case-reason' }, 'Note or reason, kept in the audit log'), this.reason),
      this.problem,
      element('div.case__buttons', {}, this.note, this.hold, this.release, this.ban, this.unban),
      this.end,
    );
    this.fields = [this.reason, this.outcome, this.ending, this.banEnding];
    for (const field of this.fields) field.addEventListener('input', () => this.#complain(''));
  }

  /** The case stands so now. */
  show(found) {
    this.#case = found;
    const open = found.state === 'open';
    this.node.hidden = !open && !found.on_hold && !found.banned;
    this.note.hidden = !open;
    this.hold.hidden = !open || found.on_hold;
    this.release.hidden = !found.on_hold;
    this.ban.hidden = !open || found.banned;
    this.unban.hidden = !found.banned;
    this.end.hidden = !open;
    this.endingField.hidden = !found.on_hold;
    this.banEndingField.hidden = !found.banned;
  }

  #button(label, run) {
    const button = element('button.button', { type: 'button' }, label);
    button.addEventListener('click', run);
    return button;
  }

  async #hold() {
    if (!this.#meant()) return;
    const sure = await ask({
      title: `Put the wallet of ${this.#case.person} on hold?`,
      text: 'Gifts and orders are refused at once, in words, until somebody ends the hold. No coin is moved.',
      yes: 'Put it on hold',
      no: 'Leave it',
    });
    if (sure) await this.#post('hold', 'The wallet is on hold.');
  }

  async #release() {
    if (!this.#meant()) return;
    const sure = await ask({ title: `End the hold on the wallet of ${this.#case.person}?`, text: 'They can send gifts and buy coins again, unless something else holds the wallet.', yes: 'End the hold', no: 'Keep the hold' });
    if (sure) await this.#post('release', 'The hold is over.');
  }

  async #ban() {
    if (!this.#meant()) return;
    const sure = await ask({
      title: `Ban ${this.#case.person} from live?`,
      text: 'Their open rooms are closed at once, and none opens until somebody ends the ban. Gifts that come too late for it are given back.',
      yes: 'Ban them',
      no: 'Leave it',
    });
    if (sure) await this.#post('ban', 'They are banned from live.');
  }

  async #unban() {
    if (!this.#meant()) return;
    const sure = await ask({ title: `End the ban of ${this.#case.person}?`, text: 'They can open their rooms again, unless another case bans them. No room opens by itself.', yes: 'End the ban', no: 'Keep the ban' });
    if (sure) await this.#post('unban', 'The ban is over.');
  }

  async #close() {
    if (!this.#meant()) return;
    const outcome = this.outcome.value;
    if (outcome === '') return this.#complain('Choose an outcome.', this.outcome);
    if (this.#case.on_hold && this.ending.value === '') return this.#complain('Say whether the hold ends or stays.', this.ending);
    if (this.#case.banned && this.banEnding.value === '') return this.#complain('Say whether the ban ends or stays.', this.banEnding);
    const endHold = this.#case.on_hold ? this.ending.value === 'end' : null;
    const endBan = this.#case.banned ? this.banEnding.value === 'end' : null;
    const held = endHold === null ? '' : endHold ? ' The hold ends.' : ' The hold stays until somebody ends it.';
    const banned = endBan === null ? '' : endBan ? ' The ban ends.' : ' The ban stays until somebody ends it.';
    const sure = await ask({ title: 'Close this case?', text: `${OUTCOMES[outcome]}. Who reported it sees that, not your reason.${held}${banned}`, yes: 'Close the case', no: 'Keep it open' });
    if (sure) await this.#post('close', 'The case is closed.', { outcome, end_hold: endHold, end_ban: endBan });
  }

  #meant() {
    if (this.#busy) return false;
    if (words(this.reason) !== '') return true;
    this.#complain('Write why, for whoever reads this later.', this.reason);
    return false;
  }

  async #post(verb, told, more = {}) {
    if (!this.#meant()) return;
    this.#busy = true;
    this.#complain('');
    this.news.hidden = true;
    const found = this.#case;
    try {
      const changed = await this.session.post(`/v1/ops/cases/${encodeURIComponent(found.id)}/${verb}`, { version: found.version, reason: words(this.reason), ...more });
      for (const field of this.fields) field.value = '';
      this.news.hidden = false;
      this.news.textContent = told;
      this.done(changed);
    } catch (error) {
      const again = error.temporary ? ' Look at what was done below before you press again.' : '';
      this.#complain(`${saidOf(error)}${again}`, this.reason);
      if (error.temporary || error.code === 'case_changed') this.done(null);
    } finally {
      this.#busy = false;
    }
  }

  #complain(text, field = null) {
    this.problem.hidden = text === '';
    this.problem.textContent = text;
    for (const one of this.fields) one.setAttribute('aria-invalid', String(one === field && text !== ''));
    if (text !== '') field?.focus();
  }
}

/** What was written, on one line: the server takes no line breaks. */
function words(field) {
  return field.value.replaceAll(/\s+/g, ' ').trim();
}
