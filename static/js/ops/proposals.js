import { ask } from '../ui/dialog.js';
import { element, fill } from '../ui/element.js';
import { counted } from '../ui/numbers.js';
import { changesOf } from './price_changes.js';
import { priceTable } from './price_table.js';
import { momentOf, saidOf } from './payment_words.js';

const SHOWN = 3;

/** What was proposed, newest first: who proposed and approved it, what it changes, and the second person's yes. */
export class Proposals {
  #all = false;

  /** @param {{session: Session, approved: () => void}} parts */
  constructor({ session, approved }) {
    this.session = session;
    this.approved = approved;
    this.list = document.getElementById('proposals');
    this.older = document.getElementById('proposals-older');
    this.older.addEventListener('click', () => this.#showOlder());
  }

  clear() {
    this.#all = false;
    this.older.hidden = true;
    fill(this.list);
  }

  /** @param {object} prices the answer of GET /v1/ops/prices */
  show(prices) {
    const { lists, in_force_version } = prices;
    if (lists.length === 0) return fill(this.list, element('li.proposals__none.small.secondary', {}, 'Nothing has been proposed.'));
    // The newest few, and in any case all that wait and the one in force.
    const few = Math.max(SHOWN, lists.filter(({ version }) => version >= in_force_version).length);
    fill(this.list, ...lists.map((proposal) => this.#draw(proposal, prices)));
    for (const old of [...this.list.children].slice(few)) old.hidden = !this.#all;
    this.older.hidden = this.#all || lists.length <= few;
    return undefined;
  }

  #showOlder() {
    this.#all = true;
    this.older.hidden = true;
    const old = [...this.list.children].filter((one) => one.hidden);
    for (const one of old) one.hidden = false;
    old[0].querySelector('summary').focus();
  }

  #draw(proposal, { in_force, in_force_version, lists }) {
    const { version, approved_by } = proposal;
    const changes = approved_by === null ? changesOf(in_force, proposal.prices) : [];
    return element(
      'li.proposal',
      { data: { version, approved: String(approved_by !== null) } },
      element('header.proposal__head', {}, element('h3', {}, `Version ${version}`), standing(proposal, in_force_version, lists)),
      element('p.small.secondary', {}, whoOf(proposal)),
      approved_by === null && changesPart(changes),
      element(
        'details.more',
        {},
        element('summary.more__summary', {}, 'All its prices'),
        priceTable(proposal.prices, `Prices of version ${version}`),
      ),
      approved_by === null && this.#approval(proposal, in_force_version, changes),
    );
  }

  #approval(proposal, inForce, changes) {
    const words = element('p.proposal__words.small', { id: `proposal-words-${proposal.version}`, role: 'status' });
    if (proposal.version < inForce) {
      words.textContent = 'A newer list is in force: approving this one would change nothing.';
      return words;
    }
    const mine = proposal.proposed_by === this.session.me?.id;
    const button = element('button.button', { type: 'button', 'aria-describedby': words.id, 'aria-disabled': mine && 'true' }, 'Approve');
    if (mine) words.textContent = 'You proposed it: a second person must approve it.';
    else button.addEventListener('click', () => this.#approve(proposal, changes, button, words));
    return element('div.proposal__approval', {}, button, words);
  }

  async #approve({ version, proposed_by }, changes, button, words) {
    if (button.getAttribute('aria-disabled') === 'true') return;
    const much = changes.length === 0 ? 'It changes nothing.' : `It makes ${counted(changes.length, 'change')}, which stand above.`;
    const sure = await ask({
      title: `Put version ${version} in force?`,
      text: `${proposed_by} proposed it. ${much} Orders made from then on cost what it says.`,
      yes: 'Put it in force',
      no: 'Not now',
    });
    if (!sure) return;
    button.setAttribute('aria-disabled', 'true');
    words.textContent = '';
    try {
      await this.session.post('/v1/ops/prices/approve', { version });
      this.approved();
    } catch (error) {
      words.textContent = saidOf(error);
      button.removeAttribute('aria-disabled');
    }
  }
}

function standing({ version, approved_by, approved_at_ms: at }, inForce, lists) {
  if (version === inForce) return element('span.state', { data: { tone: 'good' } }, 'In force');
  const overtaken = lists.some((one) => one.version > version && one.approved_by !== null && one.approved_at_ms < at);
  if (overtaken) return element('span.state', { data: { tone: 'plain' } }, 'Approved too late, never in force');
  if (approved_by !== null) return element('span.state', { data: { tone: 'plain' } }, 'Was in force');
  return element('span.state', { data: { tone: version < inForce ? 'plain' : 'wait' } }, version < inForce ? 'Overtaken' : 'Waits for a second person');
}

function whoOf({ proposed_by, proposed_at_ms, approved_by, approved_at_ms }) {
  const proposed = `Proposed by ${proposed_by} (${momentOf(proposed_at_ms)})`;
  return approved_by === null ? `${proposed}. Not approved.` : `${proposed}. Approved by ${approved_by} (${momentOf(approved_at_ms)}).`;
}

function changesPart(changes) {
  if (changes.length === 0) return element('p.small', {}, 'It is the same as the list in force.');
  return element('ul.changes', { 'aria-label': 'What it changes' }, ...changes.map((text) => element('li.small', {}, text)));
}
