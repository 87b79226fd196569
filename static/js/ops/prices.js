import { element, fill } from '../ui/element.js';
import { Proposals } from './proposals.js';
import { Propose } from './propose.js';
import { priceTable } from './price_table.js';
import { momentOf, saidOf } from './payment_words.js';

/** The prices tab: the list in force, what was proposed, and a place to propose. */
export class Prices {
  #opened = 0;

  /** @param {{session: Session, refused: (error: RequestError) => void}} parts */
  constructor({ session, refused }) {
    this.session = session;
    this.refused = refused;
    this.table = document.getElementById('in-force');
    this.words = document.getElementById('in-force-words');
    this.proposals = new Proposals({ session, approved: () => this.open() });
    this.propose = new Propose({ session, proposed: () => this.open() });
  }

  async open() {
    this.#opened += 1;
    const opened = this.#opened;
    if (this.table.childElementCount === 0) fill(this.table, element('div.skeleton.prices__skeleton', { 'aria-hidden': 'true' }));
    try {
      const prices = await this.session.get('/v1/ops/prices');
      if (opened === this.#opened) this.#show(prices);
    } catch (error) {
      if (opened === this.#opened) this.#excuse(error);
    }
  }

  /** Whoever looked is somebody else now: nothing of it stays. */
  close() {
    this.#opened += 1;
    fill(this.table);
    this.proposals.clear();
    this.propose.clear();
  }

  #show(prices) {
    fill(this.words, standing(prices));
    fill(this.table, priceTable(prices.in_force, 'Prices in force'));
    this.proposals.show(prices);
    this.propose.show(prices.in_force);
  }

  #excuse(error) {
    if (error.code === 'unauthorized' || error.code === 'forbidden') return this.refused(error);
    const again = element('button.button.button--quiet', { type: 'button' }, 'Load the prices again');
    again.addEventListener('click', () => this.open());
    fill(this.table, again);
    this.words.textContent = `The prices did not come. ${saidOf(error)}`;
  }
}

function standing({ in_force_version, lists }) {
  if (in_force_version === 0) return 'Version 0, which came with the server.';
  const list = lists.find((one) => one.version === in_force_version);
  if (list === undefined) return `Version ${in_force_version}.`;
  return `Version ${in_force_version}: ${list.proposed_by} proposed it, ${list.approved_by} approved it (${momentOf(list.approved_at_ms)}).`;
}
