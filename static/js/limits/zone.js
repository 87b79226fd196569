import { element, fill } from '../ui/element.js';
import { ownZone } from '../ui/moments.js';
import { freshId, onPress, onSend } from './press.js';
import { placeOf, zoneChosen } from './words.js';

/** Where a person's days begin. Who has chosen none is offered the zone of this device. */
export class Zone {
  #told = '';

  /** @param {(zone: string) => Promise<void>} save */
  constructor(save) {
    const id = freshId('zone');
    this.words = element('p.small.secondary');
    this.choice = element('select.input', { id });
    this.offer = element('div.zone__offer');
    const send = element('button.button', { type: 'submit' }, 'Use this zone');
    this.node = element(
      'form.zone', { novalidate: true },
      this.words, this.offer,
      element('div.zone__row', {}, element('div.field', {}, element('label', { for: id }, 'Time zone'), this.choice), send),
    );
    this.save = save;
    onSend(this.node, send, () => save(this.choice.value));
  }

  update(answer) {
    if (answer.zone === this.#told) return;
    this.#told = answer.zone;
    const [chosen, here] = [zoneChosen(answer), ownZone()];
    const places = Intl.supportedValuesOf('timeZone').filter((name) => name.includes('/') && !name.startsWith('Etc/'));
    const offered = places.includes(here) || here.includes('/') ? here : places[0];
    const wanted = chosen ? answer.zone : offered;
    const names = [...new Set([...places, wanted])].sort();
    fill(this.choice, ...names.map((name) => element('option', { value: name, selected: name === wanted }, placeOf(name))));
    this.words.textContent = chosen
      ? `Your days begin at midnight in ${placeOf(answer.zone)}. Another zone counts in 24 hours; for the eight days after that, a day is over when it is over in both.`
      : 'Your days begin at midnight UTC. The first zone that you choose counts at once, another one in 24 hours; for eight days, a day is over when it is over in both.';
    const button = element('button.button.button--primary', { type: 'button' }, `Use ${placeOf(here)}`);
    fill(this.offer, !chosen && places.includes(here) && onPress(button, () => this.save(here)));
  }
}
