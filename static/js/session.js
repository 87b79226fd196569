/**
 * Who is looking at this page, and how it talks HTTP.
 *
 * A token is a JWT kept in sessionStorage, one identity per tab. In the demo a person is chosen from a list; elsewhere
 * the site that embeds the page signs the viewer in with `session.use(jwt)` or by storing the token under TOKEN_KEY.
 */

import { RequestError, sentenceOf } from './refusals.js';

export const TOKEN_KEY = 'giftserver.token';
const EXPIRY_KEY = 'giftserver.token_expires_ms';
const EXPIRY_MARGIN_MS = 30_000;
const TIMEOUT_MS = 10_000;

/** Events: `change` when another identity is used. */
export class Session extends EventTarget {
  /** People one may be in the demo, or null where there is no demo. */
  people = null;
  /** @type {{id: string, name: string, role: string, room?: string} | null} */
  me = null;

  constructor(storage = globalThis.sessionStorage) {
    super();
    this.storage = storage;
    this.#identify();
  }

  get token() {
    return this.storage.getItem(TOKEN_KEY);
  }

  get isDemo() {
    return this.people !== null;
  }

  /** Find out whether this is a demo (GET /demo/people answers 200). Never throws. */
  async load() {
    try {
      const answer = await fetch('/demo/people', { signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (answer.ok) this.people = (await answer.json()).people;
      else if (answer.status === 404) this.people = null;
    } catch {
      // Unreachable just now: the page works without the switch and asks again on its next load.
    }
    this.#identify();
    return this;
  }

  /** Use this JWT from now on; null is anonymous. */
  use(token, expiresInS = null) {
    if (token === null) this.storage.removeItem(TOKEN_KEY);
    else this.storage.setItem(TOKEN_KEY, token);
    if (expiresInS === null) this.storage.removeItem(EXPIRY_KEY);
    else this.storage.setItem(EXPIRY_KEY, String(Date.now() + expiresInS * 1000));
    this.#identify();
    this.dispatchEvent(new Event('change'));
  }

  /** Demo only: be this person; null is anonymous. */
  async become(id) {
    if (id === null) return this.use(null);
    const answer = await this.#demoToken(id);
    this.use(answer.token, answer.expires_in_s);
  }

  /** A single-use connection ticket, or null when anonymous. Throws RequestError. */
  async getTicket() {
    if (this.token === null) return null;
    return (await this.post('/v1/tickets', {})).ticket;
  }

  get(path) {
    return this.request('GET', path);
  }

  post(path, body = {}) {
    return this.request('POST', path, body);
  }

  put(path, body = {}) {
    return this.request('PUT', path, body);
  }

  /** The parsed answer. Throws RequestError: a sentence for people, with `code`, `status`, `temporary`, `details`. */
  async request(method, path, body) {
    return (await this.#ask(method, path, body)).json().catch(() => null);
  }

  /** A file as a Blob. Throws RequestError. */
  async file(path) {
    const answer = await this.#ask('GET', path);
    return answer.blob().catch(() => {
      throw new RequestError({ code: 'unavailable', temporary: true }, 0);
    });
  }

  async #ask(method, path, body) {
    await this.#renew();
    const headers = {};
    if (this.token !== null) headers.Authorization = `Bearer ${this.token}`;
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    let answer;
    try {
      answer = await fetch(path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch {
      throw new RequestError({ code: 'unavailable', temporary: true }, 0);
    }
    if (answer.ok) return answer;
    const parsed = await answer.json().catch(() => null);
    const error = parsed?.error ?? { code: codeOfStatus(answer.status), temporary: answer.status >= 500 };
    throw new RequestError(error, answer.status);
  }

  #identify() {
    const claims = claimsOf(this.token);
    const person = this.people?.find((one) => one.id === claims?.sub);
    this.me = claims === null ? null : { id: claims.sub, name: claims.name ?? claims.sub, role: claims.role ?? 'viewer', ...person };
  }

  /** Demo tokens are fetched again shortly before they end; others are the embedding site's to renew. */
  async #renew() {
    const expires = Number(this.storage.getItem(EXPIRY_KEY) ?? Infinity);
    if (!this.isDemo || this.me === null || Date.now() < expires - EXPIRY_MARGIN_MS) return;
    const answer = await this.#demoToken(this.me.id).catch(() => null);
    if (answer === null) return;
    this.storage.setItem(TOKEN_KEY, answer.token);
    this.storage.setItem(EXPIRY_KEY, String(Date.now() + answer.expires_in_s * 1000));
  }

  async #demoToken(id) {
    const answer = await fetch('/demo/token', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ id }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch(() => null);
    if (answer === null) throw new RequestError({ code: 'unavailable', temporary: true }, 0);
    if (!answer.ok) throw new RequestError({ code: codeOfStatus(answer.status), temporary: answer.status >= 500 }, answer.status);
    return answer.json();
  }
}

/** The claims of a JWT, unverified (the server verifies; this is for showing a name), or null. */
function claimsOf(token) {
  try {
    const body = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims.sub === 'string' ? claims : null;
  } catch {
    return null;
  }
}

function codeOfStatus(status) {
  return { 401: 'unauthorized', 403: 'forbidden', 404: 'not_found', 429: 'rate_limited' }[status] ?? (status >= 500 ? 'unavailable' : 'bad_request');
}

export { RequestError, sentenceOf };
