/**
 * The outbox: gifts that have no final answer yet, oldest first, kept in storage so that a reload can still resolve
 * them. A gift leaves it only with a receipt, a final refusal, or the outcome the server remembers for its key.
 */

import { Timer } from './clock.js';
import { uuid7 } from './keys.js';

export const KEY_LIFETIME_MS = 600_000;
const REPLY_WITHIN_MS = 8_000;
const RETRY_MS = 1_000;
const OUTCOME_RETRY_MS = 5_000;
const MOST_PENDING = 200;
const KEPT = ['key', 'gift', 'quantity', 'price_coins', 'to', 'note', 'made_ms', 'sender', 'attempts', 'refusals'];

/** A gift that was refused for good. `code` is the protocol's; `details` everything else the server said. */
export class GiftError extends Error {
  constructor({ code, message, temporary = false, id, type, ...details }, key = null) {
    super(message || code);
    this.name = 'GiftError';
    this.code = code;
    this.temporary = temporary;
    this.details = details;
    this.key = key;
  }
}

export class Outbox {
  #options;
  #clock;
  #timer;
  #waiters = new Map();
  #keysById = new Map();
  #nextId = 1;
  #me = null;
  #notBeforeMs = 0;
  #entries;

  /**
   * @param {{clock: object, storage: Storage|null, storageKey: string, send: (message: object) => boolean,
   *   serverNow: () => number, fetchOutcome: (key: string) => Promise<object|null>,
   *   onFinal: (entry: object, result: object|null, error: GiftError|null) => void, onChange: () => void}} options
   */
  constructor(options) {
    this.#options = options;
    this.#clock = options.clock;
    this.#timer = new Timer(options.clock);
    this.#entries = this.#restore();
  }

  /** What has no final answer yet, oldest first: {key, gift, quantity, price_coins, state, ...}. */
  get entries() {
    return this.#mine().map((entry) => ({ ...entry }));
  }

  /** Coins those gifts cost as far as this client knows (price shown × quantity). */
  get coins() {
    return this.#mine().reduce((sum, entry) => sum + (entry.price_coins ?? 0) * entry.quantity, 0);
  }

  /** Add a gift; resolves with the receipt, rejects with GiftError. */
  add({ gift, quantity, priceCoins, to, note }) {
    if (this.#mine().length >= MOST_PENDING) {
      return Promise.reject(new GiftError({ code: 'rate_limited', message: 'Too many gifts are waiting for an answer.' }));
    }
    const entry = {
      key: uuid7(this.#options.serverNow()), gift, quantity, price_coins: priceCoins, to, note,
      made_ms: this.#clock.now(), sender: this.#me, attempts: 0, state: 'queued', sent_ms: 0,
    };
    this.#entries.push(entry);
    this.#save();
    const promise = new Promise((resolve, reject) => this.#waiters.set(entry, { resolve, reject }));
    this.pump();
    return promise;
  }

  /** A new connection as `me`: nothing is in flight any more; everything of this sender goes out again, in order. */
  connected(me) {
    this.#me = me;
    this.#keysById.clear();
    this.#nextId = 1;
    this.#notBeforeMs = 0;
    for (const entry of this.#entries) {
      entry.state = entry.state === 'asking' ? 'asking' : 'queued';
      if (entry.sender !== null || me === null) continue;
      entry.sender = me;
      // Made before the server's clock was known, never sent: its key may carry a wrong time.
      if (entry.attempts === 0) entry.key = uuid7(this.#options.serverNow());
    }
    this.pump();
  }

  /** Take back a gift that cannot have been charged: never sent, or refused for now. False if it may have been. */
  cancel(key) {
    const entry = this.#entries.find((one) => one.key === key);
    if (entry === undefined || entry.attempts > (entry.refusals ?? 0)) return false;
    this.#finish(entry, null, new GiftError({ code: 'cancelled', message: 'Taken back before it was sent.' }, key));
    return true;
  }

  stop() {
    this.#timer.stop();
  }

  /** A reply or error to a command of ours. */
  answered({ id, result, ...error }) {
    const key = this.#keysById.get(id);
    this.#keysById.delete(id);
    const entry = this.#entries.find((one) => one.key === key);
    if (entry === undefined) return;
    if (result !== undefined) this.#finish(entry, result, null);
    else if (error.code === 'key_expired' || (error.code === 'unknown_outcome' && !error.temporary)) this.#ask(entry);
    else if (error.temporary) this.#refusedForNow(entry, error);
    else this.#finish(entry, null, new GiftError(error, entry.key));
  }

  /** Send what is due, oldest first. */
  pump() {
    const now = this.#clock.now();
    for (const entry of this.#mine()) {
      if (entry.state === 'asking') continue;
      if (now - entry.made_ms >= KEY_LIFETIME_MS) this.#ask(entry);
      else if (now < this.#notBeforeMs) break;
      else if (entry.state !== 'sent' || now - entry.sent_ms >= REPLY_WITHIN_MS) {
        if (!this.#post(entry, now)) break;
      }
    }
    this.#options.onChange();
    this.#schedule();
  }

  #post(entry, now) {
    const { key, gift, quantity, price_coins, to, note } = entry;
    const message = { type: 'send_gift', id: this.#nextId, key, gift, quantity };
    for (const [name, value] of Object.entries({ price_coins, to, note })) if (value !== undefined && value !== null) message[name] = value;
    if (this.#me === null) return false;
    // Kept before it is sent: whatever happens next, this gift may have been charged and can not be taken back.
    const before = { state: entry.state, sent_ms: entry.sent_ms, attempts: entry.attempts };
    Object.assign(entry, { state: 'sent', sent_ms: now, attempts: entry.attempts + 1 });
    this.#save();
    this.#keysById.set(message.id, key);
    if (!this.#options.send(message)) {
      this.#keysById.delete(message.id);
      Object.assign(entry, before);
      this.#save();
      return false;
    }
    this.#nextId += 1;
    return true;
  }

  #refusedForNow(entry, error) {
    entry.state = 'refused';
    entry.error = error;
    // A refusal answers one attempt; an unknown outcome answers none, and the gift can no longer be taken back.
    if (error.code !== 'unknown_outcome') entry.refusals = (entry.refusals ?? 0) + 1;
    this.#notBeforeMs = this.#clock.now() + (error.retry_after_ms ?? RETRY_MS);
    this.pump();
  }

  /** Too old to send: the server may still know what became of it. 404 means it never happened. */
  async #ask(entry) {
    entry.state = 'asking';
    try {
      const outcome = await this.#options.fetchOutcome(entry.key);
      if (outcome !== null) this.#finish(entry, outcome, null);
      else this.#finish(entry, null, new GiftError({ code: 'key_expired', message: 'Too old to send, and never charged.' }, entry.key));
    } catch {
      this.#clock.after(OUTCOME_RETRY_MS, () => this.#entries.includes(entry) && this.#ask(entry));
    }
  }

  #finish(entry, result, error) {
    const at = this.#entries.indexOf(entry);
    if (at < 0) return;
    this.#entries.splice(at, 1);
    this.#save();
    const waiter = this.#waiters.get(entry);
    this.#waiters.delete(entry);
    this.#options.onFinal({ ...entry, restored: waiter === undefined }, result, error);
    if (error === null) waiter?.resolve(result);
    else waiter?.reject(error);
    this.#options.onChange();
  }

  /** Another person may have used this tab before: their gifts wait for them and are never sent as someone else. */
  #mine() {
    return this.#entries.filter((entry) => entry.sender === null || this.#me === null || entry.sender === this.#me);
  }

  #schedule() {
    const now = this.#clock.now();
    const dues = this.#mine().filter((entry) => entry.state !== 'asking').map((entry) => {
      const expiry = entry.made_ms + KEY_LIFETIME_MS;
      const again = entry.state === 'sent' ? entry.sent_ms + REPLY_WITHIN_MS : Math.max(this.#notBeforeMs, now + RETRY_MS);
      return Math.min(expiry, again);
    });
    if (dues.length === 0) this.#timer.stop();
    else this.#timer.set(Math.max(50, Math.min(...dues) - now), () => this.pump());
  }

  #save() {
    const { storage, storageKey } = this.#options;
    try {
      if (this.#entries.length === 0) storage?.removeItem(storageKey);
      else storage?.setItem(storageKey, JSON.stringify(this.#entries, (name, value) => (name === '' || /^\d+$/.test(name) || KEPT.includes(name) ? value : undefined)));
    } catch {
      // Storage may be full or forbidden: the gifts stay pending in memory.
    }
  }

  #restore() {
    try {
      const kept = JSON.parse(this.#options.storage?.getItem(this.#options.storageKey) ?? '[]');
      return kept.map((entry) => ({ ...entry, sender: entry.sender ?? null, state: 'queued', sent_ms: 0 }));
    } catch {
      return [];
    }
  }
}
