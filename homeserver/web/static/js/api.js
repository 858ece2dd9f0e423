import { exclusive } from "./exclusive.js";
import { expiryOf } from "./session.js";

const TIMEOUT_MS = 20000;
const EXPIRY_MARGIN_MS = 20000;

/** A request that was not answered as wished. `status` 0: there was no answer. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code the server's stable name for the error, or "network"
   * @param {string} detail for people
   * @param {number | null} [retryAfterMs]
   */
  constructor(status, code, detail, retryAfterMs = null) {
    super(detail);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same request may well succeed later. */
  get isPassing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** The login has ended: a new one is needed. */
export class SessionOver extends ApiError {
  constructor() {
    super(401, "session_over", "The session has ended.");
    this.name = "SessionOver";
  }
}

/**
 * JSON over HTTP with the tokens of a session. An access token that is refused is renewed once, by one tab only, and
 * the request repeated.
 */
export class Api {
  #session;
  #authPrefix;
  /** Whether this computer's clock is so wrong that fresh tokens look old. */
  #isClockWrong = false;

  /**
   * @param {import("./session.js").Session} session
   * @param {string | null} authPrefix where `auth/refresh` and the like are; null: tokens cannot be renewed here
   */
  constructor(session, authPrefix) {
    this.#session = session;
    this.#authPrefix = authPrefix;
  }

  /**
   * `isAnonymous`: without a token. `isOptional`: a refused token is not renewed, and the session goes on.
   *
   * @param {string} method
   * @param {string} path
   * @param {{query?: Record<string, string | number | null | undefined>, body?: unknown, signal?: AbortSignal, isAnonymous?: boolean, isOptional?: boolean}} [options]
   * @returns {Promise<any>} the answer's JSON; null for an empty one
   */
  async request(method, path, options = {}) {
    const token = options.isAnonymous ? null : await this.freshToken();
    const first = await this.#send(method, path, options, token);
    if (first.status !== 401 || token === null || options.isOptional) return readAnswer(first);
    const second = await this.#send(method, path, options, await this.renew(token));
    return second.status === 401 ? this.#end() : readAnswer(second);
  }

  /** @param {{email: string, password: string}} credentials */
  async login(credentials) {
    this.#keep(await this.request("POST", `${this.#authPrefix}/auth/login`, { body: credentials, isAnonymous: true }));
  }

  /** @param {{email: string, password: string, display_name: string}} account */
  async register(account) {
    this.#keep(await this.request("POST", `${this.#authPrefix}/auth/register`, { body: account, isAnonymous: true }));
  }

  /** End the session on the server as far as it can be reached, and forget it here in any case. */
  async logout() {
    const auth = this.#session.read();
    try {
      if (auth && this.#authPrefix) await this.request("POST", `${this.#authPrefix}/auth/logout`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    } finally {
      this.#session.clear();
    }
  }

  /** An access token that is good for a while yet, renewed ahead of its end. */
  async freshToken() {
    const auth = this.#session.read();
    if (!auth) throw new SessionOver();
    if (this.#isClockWrong || !looksOld(auth.access)) return auth.access;
    const renewed = await this.renew(auth.access);
    this.#isClockWrong = looksOld(renewed);
    return renewed;
  }

  /**
   * Exchange a token that does not work any more; where another tab has done so already, take its new one.
   *
   * @param {string} refused
   * @returns {Promise<string>}
   */
  async renew(refused) {
    return exclusive("auth-refresh", async () => {
      const auth = this.#session.read();
      if (!auth) throw new SessionOver();
      if (auth.access !== refused) return auth.access;
      if (!auth.refresh || !this.#authPrefix) return this.#end();
      const body = { refresh_token: auth.refresh };
      const answer = await this.#send("POST", `${this.#authPrefix}/auth/refresh`, { body }, null);
      if (answer.status === 429 || answer.status >= 500) return readAnswer(answer);
      if (answer.status !== 200) return this.#end();
      const pair = readAnswer(answer);
      // Somebody may have signed out, or in, while the answer was on its way.
      if (this.#session.read()?.refresh !== auth.refresh) throw new SessionOver();
      this.#session.save({ access: pair.access_token, refresh: pair.refresh_token, user_id: auth.user_id });
      return pair.access_token;
    });
  }

  /** @returns {never} */
  #end() {
    this.#session.clear();
    throw new SessionOver();
  }

  /** @param {{access_token: string, refresh_token: string, user: {id: number}}} pair */
  #keep(pair) {
    this.#session.save({ access: pair.access_token, refresh: pair.refresh_token, user_id: pair.user.id });
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {{query?: Record<string, string | number | null | undefined>, body?: unknown, signal?: AbortSignal}} options
   * @param {string | null} token
   * @returns {Promise<Answer>}
   */
  async #send(method, path, { query = {}, body, signal }, token) {
    const url = new URL(path, location.origin);
    for (const [name, value] of Object.entries(query)) {
      if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, String(value));
    }
    /** @type {Record<string, string>} */
    const headers = { Accept: "application/json" };
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), TIMEOUT_MS);
    const cancel = () => deadline.abort();
    signal?.addEventListener("abort", cancel);
    try {
      const response = await fetch(url, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: deadline.signal,
        cache: "no-store",
        credentials: "omit",
      });
      return { status: response.status, text: await response.text(), retryAfter: response.headers.get("Retry-After") };
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError(0, "network", "The server cannot be reached.");
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
    }
  }
}

/** Whether an access token ends soon, by this computer's clock. @param {string} token */
function looksOld(token) {
  const expiry = expiryOf(token);
  return expiry !== null && expiry - EXPIRY_MARGIN_MS <= Date.now();
}

/**
 * @typedef {{status: number, text: string, retryAfter: string | null}} Answer
 *
 * @param {Answer} answer
 * @returns {any} what it says; its error is thrown
 */
function readAnswer({ status, text, retryAfter }) {
  if (status < 200 || status > 299) throw errorOf(status, text, retryAfter);
  return text ? JSON.parse(text) : null;
}

/**
 * The error that an answer's body describes.
 *
 * @param {number} status
 * @param {string} text
 * @param {string | null} retryAfter
 */
export function errorOf(status, text, retryAfter) {
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy's own error page, for example; the status says enough.
  }
  const detail = typeof body?.detail === "string" ? body.detail : `HTTP ${status}`;
  const seconds = Number(retryAfter);
  return new ApiError(status, String(body?.code ?? "error"), detail, seconds > 0 ? seconds * 1000 : null);
}
