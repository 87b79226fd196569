/**
 * The giftserver client: watch a room and send gifts, through any network. No dependencies; runs in browsers and in
 * Node (pass `WebSocket` where there is no global one). docs/giftclient.md describes every option and event.
 *
 *   const client = new GiftClient({ room: 'harbour', getTicket });
 *   client.addEventListener('gift', ({ detail }) => show(detail));
 *   client.connect();
 *   const receipt = await client.sendGift({ gift: 'kite', quantity: 1, priceCoins: 10 });
 */

import { systemClock } from './giftclient/clock.js';
import { Link, jsonCodec } from './giftclient/link.js';
import { GiftError, Outbox } from './giftclient/outbox.js';

export { GiftError, jsonCodec };

const OFFSET_TYPES = new Set(['gift', 'combo_ended', 'gifts_folded']);

export class GiftClient extends EventTarget {
  #options;
  #link;
  #outbox;
  #skewMs = 0;
  #position = null;
  #balanceCoins = null;
  #you = null;
  #onWake = () => this.#link.wake();
  /** Everything shown since the first connection or the last snapshot: sums of each event's own `quantity`, `coins`. */
  totals = { quantity: 0, coins: 0 };

  /**
   * @param {object} options
   * @param {string} options.room
   * @param {string} [options.base] http(s) origin of the server; the page's own by default
   * @param {string} [options.url] the full WebSocket address, instead of base and room
   * @param {() => Promise<string|null>} [options.getTicket] a fresh single-use ticket per connection; null watches only
   * @param {(key: string) => Promise<object|null>} [options.fetchOutcome] what became of a key; null if it never was
   * @param {Storage|null} [options.storage] where pending gifts survive a reload (sessionStorage by default)
   * @param {{epoch: string, offset: number}} [options.position] resume from here on the first connection
   * @param {object} [options.codec] jsonCodec by default  @param {object} [options.clock] @param {Function} [options.WebSocket]
   * @param {{firstMs: number, mostMs: number}} [options.backoff]
   */
  constructor(options) {
    super();
    const base = options.base ?? globalThis.location?.origin ?? '';
    this.#options = {
      getTicket: async () => null,
      fetchOutcome: async () => { throw new Error('no fetchOutcome given'); },
      storage: globalThis.sessionStorage ?? null,
      clock: systemClock,
      codec: jsonCodec,
      WebSocket: globalThis.WebSocket,
      url: `${base.replace(/^http/, 'ws')}/v1/rooms/${encodeURIComponent(options.room)}/ws`,
      ...options,
    };
    this.#position = options.position ?? null;
    const { clock, codec, WebSocket, getTicket, storage, backoff, fetchOutcome } = this.#options;
    this.#link = new Link({
      clock, codec, WebSocket, getTicket, backoff,
      address: (ticket) => this.#address(ticket),
      onMessages: (messages) => this.#receive(messages),
      onState: (state, why) => this.#emit('state', { state, ...why }),
    });
    this.#outbox = new Outbox({
      clock, storage, fetchOutcome,
      storageKey: `giftserver.pending.${options.room ?? this.#options.url}`,
      send: (message) => this.#link.send(message),
      serverNow: () => this.serverNow(),
      onFinal: (entry, result, error) => this.#final(entry, result, error),
      onChange: () => this.#changed(),
    });
  }

  /** 'connecting', 'open', 'waiting' (will try again by itself) or 'closed' (final). */
  get state() {
    return this.#link.state;
  }

  /** {id, name, role, balance_coins} as the server knows this connection, or null: watching only. */
  get you() {
    return this.#you;
  }

  /** {epoch, offset} of the last event shown, or null. Pass it as `position` to resume in a new client. */
  get position() {
    return this.#position === null ? null : { ...this.#position };
  }

  /** Gifts without a final answer, oldest first. */
  get pending() {
    return this.#outbox.entries;
  }

  /** Coins by the last word of the server, and what to show: that, less what is still on its way. Null: unknown. */
  get balance() {
    const coins = this.#balanceCoins;
    return { coins, shown_coins: coins === null ? null : coins - this.#outbox.coins };
  }

  /** The server's clock as this client knows it, Unix ms. */
  serverNow() {
    return this.#options.clock.now() + this.#skewMs;
  }

  connect() {
    globalThis.addEventListener?.('online', this.#onWake);
    this.#link.open();
    return this;
  }

  /** Stop for good. Gifts without an answer stay in storage and are resolved by the next client of this room. */
  close() {
    globalThis.removeEventListener?.('online', this.#onWake);
    this.#outbox.stop();
    this.#link.close();
  }

  /**
   * Send a gift. Resolves with the receipt {transfer, key, coins, diamonds, balance_coins, state}; rejects with
   * GiftError only when nothing was charged. Until then the same key goes out again after every reconnect and timeout.
   */
  sendGift({ gift, quantity = 1, priceCoins, to, note }) {
    if (!Number.isInteger(quantity) || quantity < 1) {
      return Promise.reject(new GiftError({ code: 'bad_request', message: 'quantity must be a whole number from 1' }));
    }
    if (this.state === 'closed') return Promise.reject(new GiftError({ code: 'unavailable', message: 'not connected' }));
    if (this.state === 'open' && this.#you === null) {
      return Promise.reject(new GiftError({ code: 'unauthorized', message: 'watching only: sign in to send gifts' }));
    }
    return this.#outbox.add({ gift, quantity, priceCoins, to, note });
  }

  /** Take back a gift that was never sent or was refused for now; false if it may have been charged. */
  cancel(key) {
    return this.#outbox.cancel(key);
  }

  /** Overlay: these offsets have been shown. */
  rendered(offsets) {
    return this.#link.send({ type: 'rendered', offsets });
  }

  #address(ticket) {
    const url = new URL(this.#options.url);
    if (ticket !== null && ticket !== undefined) url.searchParams.set('ticket', ticket);
    if (this.#position !== null) {
      url.searchParams.set('epoch', this.#position.epoch);
      url.searchParams.set('offset', String(this.#position.offset));
    }
    return url.href;
  }

  /** One frame. Offsets are compared with where the frame began: within one, folded and single events may interleave. */
  #receive(messages) {
    let begin = this.#position?.offset ?? -1;
    const seen = new Set();
    for (const message of messages) {
      if (message.type === 'welcome') {
        this.#welcome(message);
        begin = this.#position.offset;
      } else if (OFFSET_TYPES.has(message.type)) {
        const mark = `${message.type} ${message.offset}`;
        if (message.offset <= begin || seen.has(mark)) continue;
        seen.add(mark);
        this.#advance(message);
        this.#emit(message.type, message.type === 'gift' ? { combo: null, combo_quantity: message.quantity, ...message } : message);
      } else this.#other(message);
    }
  }

  #welcome(message) {
    this.#skewMs = message.server_time_ms - this.#options.clock.now();
    const follows = message.resumed && this.#position?.epoch === message.epoch;
    if (!follows) {
      this.#position = { epoch: message.epoch, offset: message.offset };
      this.totals = { quantity: 0, coins: 0 };
    }
    this.#you = message.you ?? null;
    if (this.#you !== null) this.#balanceCoins = this.#you.balance_coins ?? this.#balanceCoins;
    this.#link.welcomed(message.heartbeat_s);
    this.#emit('welcome', message);
    this.#outbox.connected(this.#you?.id ?? null);
  }

  #advance(message) {
    this.#position.offset = Math.max(this.#position.offset, message.offset);
    const items = { gift: [message], gifts_folded: message.items }[message.type] ?? [];
    for (const { quantity, coins } of items) {
      this.totals.quantity += quantity;
      this.totals.coins += coins;
    }
  }

  #other(message) {
    if (Number.isInteger(message.balance_coins)) this.#balanceCoins = message.balance_coins;
    if (message.type === 'reply' || (message.type === 'error' && message.id)) {
      if (message.result?.balance_coins !== undefined) this.#balanceCoins = message.result.balance_coins;
      this.#outbox.answered(message);
    } else if (message.type === 'balance') {
      this.#balanceCoins = message.coins;
      this.#changed();
    } else {
      if (message.type === 'goodbye') this.#link.holdOff(message.reconnect_after_ms);
      this.#emit(message.type, message);
    }
  }

  #final(entry, result, error) {
    if (error === null) this.#emit('receipt', { ...entry, result });
    else this.#emit('refused', { ...entry, error });
  }

  #changed() {
    this.#emit('pending', { entries: this.pending });
    this.#emit('balance', this.balance);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
