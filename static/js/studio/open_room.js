import { element, fill } from '../ui/element.js';

const NAME = '[a-z0-9][a-z0-9\\-]{1,38}[a-z0-9]';

/** For a creator without a room: two fields and a button. `opened` runs once the server has made it. */
export function showRoomForm(host, session, opened) {
  const refusal = element('p.small', { role: 'alert' });
  const send = element('button.button.button--primary.button--wide', { type: 'submit' }, 'Open my room');
  const form = element(
    'form.gate__form',
    {},
    field('title', 'Title', { maxlength: '80', placeholder: 'Songs from the attic' }, 'What viewers see on top of your stream.'),
    field('room', 'Address', { pattern: NAME, placeholder: 'attic', autocapitalize: 'none', spellcheck: 'false' }, 'Small letters, digits and dashes. It cannot be changed later.'),
    refusal,
    send,
  );
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const { title, room } = Object.fromEntries(new FormData(form));
    send.disabled = true;
    refusal.textContent = '';
    try {
      await session.put(`/v1/rooms/${encodeURIComponent(room)}`, { title });
      await opened();
    } catch (error) {
      refusal.textContent = error.code === 'forbidden' ? 'This address belongs to someone else. Choose another.' : error.message;
    } finally {
      send.disabled = false;
    }
  });
  fill(
    host,
    element('h1', { id: 'gate-title' }, 'Open your room'),
    element('p.secondary', {}, `${session.me.name}, you have no room yet. It takes two lines.`),
    form,
  );
  host.hidden = false;
}

function field(name, label, attributes, hint) {
  const input = element('input.input', { id: `new-${name}`, name, required: true, autocomplete: 'off', 'aria-describedby': `new-${name}-hint`, ...attributes });
  return element('div.field', {}, element('label', { for: `new-${name}` }, label), input, element('p.tiny.secondary', { id: `new-${name}-hint` }, hint));
}
