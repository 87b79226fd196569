/**
 * The link: one WebSocket after another to the same room. It decides when to connect, when a connection is dead and
 * whether a close is the end; it knows nothing of gifts.
 *
 * states: connecting → open (welcome received) → waiting (will try again) → …; closed is final.
 */

import { Backoff, Timer } from './clock.js';

export const jsonCodec = {
  subprotocol: 'giftserver.v1.json',
  encode: (message) => JSON.stringify(message),
  decode: (data) => JSON.parse(data),
};

const WELCOME_WITHIN_MS = 10_000;
const STABLE_MS = 5_000;
const SILENCE_FACTOR = 2.5;
const BAD_TICKET = 4500;

export class Link {
  #options;
  #backoff;
  #retry;
  #watchdog;
  #stable;
  #socket = null;
  #turn = 0;
  #heartbeatMs = WELCOME_WITHIN_MS;
  #askedMs = 0;
  #refusedTickets = 0;
  state = 'closed';

  /**
   * @param {{address: (ticket: string|null) => string, getTicket: () => Promise<string|null>, codec: object,
   *   clock: object, WebSocket: Function, onMessages: (messages: object[]) => void,
   *   onState: (state: string, why: object) => void, backoff?: object}} options
   */
  constructor(options) {
    this.#options = options;
    this.#backoff = new Backoff(options.clock, options.backoff);
    this.#retry = new Timer(options.clock);
    this.#watchdog = new Timer(options.clock);
    this.#stable = new Timer(options.clock);
  }

  open() {
    if (this.state === 'connecting' || this.state === 'open') return;
    this.#retry.stop();
    this.#connect();
  }

  /** Final: nothing reconnects after this until `open` is called again. */
  close(why = { code: 1000, reason: 'closed by the page' }) {
    this.#drop(1000);
    this.#retry.stop();
    this.#become('closed', why);
  }

  /** Try now if waiting: the network came back, or the page is looked at again. */
  wake() {
    if (this.state === 'waiting') this.open();
  }

  /** True if the bytes were handed to an open socket (no promise that they arrive). */
  send(message) {
    if (this.state !== 'open' || this.#socket?.readyState !== 1) return false;
    this.#socket.send(this.#options.codec.encode(message));
    return true;
  }

  /** The server has said welcome: frames come at least every `heartbeatS` seconds from now on. */
  welcomed(heartbeatS) {
    this.#heartbeatMs = Math.max(1, heartbeatS) * 1000 * SILENCE_FACTOR;
    this.#refusedTickets = 0;
    this.#feed();
    this.#stable.set(STABLE_MS, () => this.#backoff.settle());
    this.#become('open', {});
  }

  /** The server asked not to come back sooner than this. */
  holdOff(delayMs) {
    this.#askedMs = Math.max(0, Number(delayMs) || 0);
  }

  async #connect() {
    const turn = (this.#turn += 1);
    this.#become('connecting', {});
    const { getTicket, address, codec, WebSocket } = this.#options;
    let ticket;
    try {
      ticket = await getTicket();
    } catch (error) {
      if (turn === this.#turn) this.#wait({ error, reason: 'no ticket' }, error?.details?.retry_after_ms ?? 0);
      return;
    }
    if (turn !== this.#turn) return;
    let socket;
    try {
      socket = new WebSocket(address(ticket), [codec.subprotocol]);
    } catch (error) {
      this.#wait({ error, reason: 'no socket' });
      return;
    }
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#heartbeatMs = WELCOME_WITHIN_MS;
    this.#feed();
    socket.onmessage = (event) => turn === this.#turn && this.#received(event.data);
    socket.onclose = (event) => turn === this.#turn && this.#closed(event.code, event.reason);
    socket.onerror = () => {}; // a close always follows and says more
  }

  #received(data) {
    this.#feed();
    let messages;
    try {
      messages = this.#options.codec.decode(data);
    } catch {
      this.#lost({ reason: 'a frame could not be read' });
      return;
    }
    if (Array.isArray(messages) && messages.length > 0) this.#options.onMessages(messages);
  }

  #closed(code, reason) {
    this.#drop();
    const final = code >= 4500 && code <= 4999;
    if (code === BAD_TICKET && this.#refusedTickets === 0) {
      this.#refusedTickets = 1; // every connection fetches a new ticket: one more try
      this.#wait({ code, reason });
    } else if (final) this.#become('closed', { code, reason });
    else this.#wait({ code, reason });
  }

  #feed() {
    this.#watchdog.set(this.#heartbeatMs, () => this.#lost({ reason: 'nothing heard' }));
  }

  #lost(why) {
    this.#drop(4000);
    this.#wait(why);
  }

  /** Let go of the socket without waiting for its close: a dead peer never sends one. */
  #drop(code) {
    this.#turn += 1;
    this.#watchdog.stop();
    this.#stable.stop();
    const socket = this.#socket;
    this.#socket = null;
    if (socket !== null && code !== undefined) socket.close(code);
  }

  #wait(why, askedMs = this.#askedMs) {
    const delayMs = this.#backoff.next(askedMs);
    this.#askedMs = 0;
    this.#become('waiting', { ...why, retry_in_ms: delayMs });
    this.#retry.set(delayMs, () => this.#connect());
  }

  #become(state, why) {
    const before = this.state;
    this.state = state;
    if (before !== state || state === 'waiting') this.#options.onState(state, why);
  }
}
