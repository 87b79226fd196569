// A GiftClient on a socket, a clock and a storage that a test owns: nothing here waits for real time.

import { GiftClient } from '/static/js/giftclient.js';

export class Clock {
  ms = 1_700_000_000_000;
  chance = 0.5;
  #timers = new Map();
  #next = 1;

  now = () => this.ms;
  random = () => this.chance;
  after = (delay, run) => {
    this.#timers.set(this.#next, { at: this.ms + delay, run });
    return this.#next++;
  };
  cancel = (id) => this.#timers.delete(id);

  /** Move on, running what falls due in order; microtasks settle in between. */
  async pass(delay) {
    const end = this.ms + delay;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.ms = due[1].at;
      due[1].run();
      await settle();
    }
    this.ms = end;
    await settle();
  }
}

export async function settle() {
  for (let i = 0; i < 12; i += 1) await Promise.resolve();
}

export class Socket {
  static made = [];
  readyState = 1;
  sent = [];

  constructor(url, protocols) {
    Object.assign(this, { url: new URL(url), protocols });
    Socket.made.push(this);
  }

  send(data) {
    this.sent.push(JSON.parse(data));
  }

  close(code) {
    this.closedWith = code;
    this.readyState = 3;
  }

  /** From the server: messages in one frame. */
  says(...messages) {
    this.onmessage?.({ data: JSON.stringify(messages) });
  }

  /** The connection ended. */
  ends(code, reason = '') {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
}

export class Storage {
  kept = new Map();
  getItem = (key) => this.kept.get(key) ?? null;
  setItem = (key, value) => this.kept.set(key, value);
  removeItem = (key) => this.kept.delete(key);
}

export const ANA = { id: 'ana', name: 'Ana', role: 'viewer', balance_coins: 100 };
const SNAPSHOT = { type: 'snapshot', status: 'live', title: '', creator: { id: 'mira', name: 'Mira' }, stream_url: null, viewers: 1, combos: [], top: [], goal: null, total_coins: 0, total_diamonds: 0 };

export function welcome(clock, fields = {}) {
  return { type: 'welcome', room: 'harbour', epoch: 'e1', offset: 0, server_time_ms: clock.ms, heartbeat_s: 20, catalog_version: 1, resumed: false, you: ANA, ...fields };
}

export function gift(offset, fields = {}) {
  return { type: 'gift', offset, transfer: `00-1-${offset}`, sender: { id: 'ben', name: 'Ben' }, gift: 'kite', quantity: 1, coins: 10, diamonds: 10, combo: null, combo_quantity: 1, at_ms: 0, ...fields };
}

export const refusal = (id, code, fields = {}) => ({ type: 'error', id, code, message: 'no', temporary: false, ...fields });

export const receipt = (key, coins = 10) => ({ transfer: '00-1-9', key, coins, diamonds: coins, balance_coins: 100 - coins, state: 'accepted' });

/** A connected client with everything around it; `seen` collects its events by type. */
export async function room(options = {}) {
  Socket.made = [];
  const clock = options.clock ?? new Clock();
  const storage = options.storage ?? new Storage();
  let tickets = 0;
  const client = new GiftClient({
    base: 'http://gifts.test', room: 'harbour', getTicket: async () => `t${++tickets}`, clock, storage, WebSocket: Socket, ...options.client,
  });
  const seen = {};
  for (const type of ['state', 'welcome', 'snapshot', 'gift', 'combo_ended', 'gifts_folded', 'settled', 'balance', 'pending', 'receipt', 'refused', 'goodbye']) {
    seen[type] = [];
    client.addEventListener(type, ({ detail }) => seen[type].push(detail));
  }
  const here = {
    client, clock, storage, seen,
    get socket() { return Socket.made.at(-1); },
    get sockets() { return Socket.made; },
    welcome: (fields) => here.socket.says(welcome(clock, fields), SNAPSHOT),
    sent: () => here.socket.sent.filter((message) => message.type === 'send_gift'),
  };
  client.connect();
  await settle();
  if (options.welcome !== false) here.welcome();
  return here;
}
