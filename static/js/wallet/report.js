import { uuid7 } from '../giftclient/keys.js';
import { sheet } from '../ui/dialog.js';
import { element } from '../ui/element.js';
import { toast } from '../ui/toast.js';
import { reasonsFor } from './report_words.js';

const NOTE_LENGTH_MAX = 1_000;
let opened = 0;

/**
 * A button that reports a payment or a gift of one's own.
 *
 * @param {{session: Session, subject: {kind: "payment"|"gift", id: string}, reported: (report: object) => void}} parts
 */
export function reportButton(parts) {
  const button = element('button.button.button--quiet', { type: 'button' }, 'Report a problem');
  button.addEventListener('click', () => openReport(parts));
  return button;
}

/** Ask what is wrong and tell the server, once: while it is not known whether it heard, the same goes out again. */
function openReport({ session, subject, reported }) {
  opened += 1;
  const id = (name) => `report-${name}-${opened}`;
  const reasons = Object.entries(reasonsFor(subject.kind)).map(([value, text]) => element('option', { value }, text));
  const reason = element('select.input', { id: id('reason'), autofocus: true }, element('option', { value: '' }, 'Choose what it is'), ...reasons);
  const note = element('textarea.input.report__note', { id: id('note'), rows: '4', maxlength: NOTE_LENGTH_MAX });
  const hold = element('select.input', { id: id('hold') }, element('option', { value: '' }, 'Leave my wallet as it is'), element('option', { value: 'hold' }, 'Put my wallet on hold now'));
  const holdField = element('div.field', { hidden: true }, element('label', { for: hold.id }, 'Somebody else may be using your wallet'), hold, element('p.tiny.secondary', {}, 'On hold, nobody can send gifts or buy coins with it until a person has looked at this.'));
  const problem = element('p.report__problem.small', { role: 'alert', hidden: true });
  const send = element('button.button.button--primary', { type: 'submit' }, 'Send the report');
  const form = element(
    'form.report',
    { novalidate: true },
    element('div.field', {}, element('label', { for: reason.id }, 'What is wrong?'), reason),
    element('div.field', {}, element('label', { for: note.id }, 'What should we know? (optional)'), note),
    holdField,
    problem,
    send,
  );
  const dialog = sheet({ title: subject.kind === 'gift' ? 'Report this gift' : 'Report this order', body: [element('p.small.secondary', {}, 'A person looks at it. You find what came of it in your wallet.'), form] });
  let key = null;
  const complain = (text) => {
    problem.hidden = text === '';
    problem.textContent = text;
  };
  form.addEventListener('input', () => {
    key = null; // something else is told from here on
    holdField.hidden = reason.value !== 'unauthorised';
    complain('');
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (send.getAttribute('aria-disabled') === 'true') return;
    if (reason.value === '') {
      complain('Choose what it is.');
      reason.focus();
      return;
    }
    key ??= uuid7(Date.now());
    send.setAttribute('aria-disabled', 'true');
    const holding = reason.value === 'unauthorised' && hold.value === 'hold';
    try {
      const made = await session.post('/v1/reports', { key, subject, reason: reason.value, note: note.value.replaceAll(/\s+/g, ' ').trim(), hold: holding });
      dialog.close();
      toast(holding ? 'Reported. Your wallet is on hold until a person has looked at it.' : 'Reported. A person looks at it.', { tone: 'good' });
      reported(made);
    } catch (error) {
      complain(error.code === 'rate_limited' && error.said ? error.said : error.message);
    } finally {
      send.removeAttribute('aria-disabled');
    }
  });
}
