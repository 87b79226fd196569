/** What the room itself shows: stage or video, live or not, who is on it, who watches. */

import { find } from './find.js';
import { Stage } from './stage.js';
import { TopBar } from './top_bar.js';

const PULSES = { tray: 0.12, burst: 0.25, half: 0.5, full: 0.9, epic: 1 };
const BEFORE = 30;

export class RoomView {
  /** {creator, title, live, stream_url} as known now. */
  room = { creator: null, title: '', live: true, stream_url: null };
  #id;
  #notices;
  #stage = new Stage(find('.stage__light'), matchMedia('(prefers-reduced-motion: reduce)'));
  #bar = new TopBar();
  #fed = false;

  constructor(id, notices) {
    this.#id = id;
    this.#notices = notices;
    this.#exists();
  }

  connection({ state, code, reason }) {
    document.documentElement.dataset.state = state === 'connecting' ? document.documentElement.dataset.state : state;
    this.#bar.connection(state);
    if (state === 'closed' && code !== 1000) {
      const words = reason ? `This stream was closed for you: ${reason}.` : 'This stream was closed for you.';
      this.#notices.say('closed', words, [{ label: 'Reload', run: () => location.reload() }]);
    }
  }

  /** The feed starts with the last gifts of before, so that nobody arrives in an empty hall. */
  async welcomed({ epoch, offset, resumed }, feed) {
    if (resumed && this.#fed) return;
    this.#fed = true;
    const query = new URLSearchParams({ epoch, after: String(Math.max(0, offset - BEFORE)), limit: String(BEFORE) });
    const answer = await fetch(`/v1/rooms/${encodeURIComponent(this.#id)}/gifts?${query}`).catch(() => null);
    if (!answer?.ok) return;
    const { gifts } = await answer.json();
    feed.before(gifts.filter((gift) => gift.offset <= offset));
  }

  snapshot({ status, title, creator, stream_url, viewers, top }) {
    this.#set({ creator, title, live: status === 'live', stream_url });
    this.viewers({ count: viewers });
    this.top({ items: top });
  }

  gift(gift) {
    if (gift !== null) this.#stage.pulse(gift.tier, PULSES[gift.tier]);
  }

  viewers({ count }) {
    this.#bar.viewers(count);
  }

  top({ items }) {
    this.#bar.top(items);
  }

  /** A `room` push: the latest state of title, status and video. */
  changed({ status, title, stream_url }) {
    this.#set({ ...this.room, title, live: status === 'live', stream_url });
  }

  #set(room) {
    this.room = room;
    if (room.creator !== null) this.#bar.room(room);
    this.#stage.live = room.live;
    find('.viewer').dataset.live = String(room.live);
    find('.stage__offline').hidden = room.live;
    find('.stage__offline-title').textContent = `${room.creator?.name ?? 'The creator'} is not live right now.`;
    const video = find('.stage__video');
    const playing = room.live && Boolean(room.stream_url);
    if (playing && video.getAttribute('src') !== room.stream_url) video.src = room.stream_url;
    if (!playing) video.removeAttribute('src');
    video.hidden = !playing;
    find('.stage__light').hidden = playing;
    find('.stage__stand').toggleAttribute('hidden', playing);
  }

  async #exists() {
    const answer = await fetch(`/v1/rooms/${encodeURIComponent(this.#id)}`).catch(() => null);
    if (answer?.ok) {
      const { status, title, creator, stream_url, viewers } = await answer.json();
      if (this.room.creator !== null) return;
      this.#set({ creator, title, live: status === 'live', stream_url: stream_url ?? null });
      this.viewers({ count: viewers });
    } else if (answer?.status === 404) {
      this.#notices.say('room', 'There is no room with this name.', [{ label: 'See who is live', run: () => location.assign('/') }]);
    }
  }
}
