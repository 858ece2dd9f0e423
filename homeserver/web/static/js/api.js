import { ApiError, SessionOver } from "./client/errors.js";
import { announce, exclusive, isAnnounced } from "./client/exclusive.js";
import { read, send } from "./client/request.js";
import { expiryOf } from "./session.js";

const EXPIRY_MARGIN_MS = 20000;
const SAVE_SEEN_MS = 10000; // the time in which every tab sees what another one saved

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
    const { query, body, signal } = options;
    const first = await send(method, path, { query, body, signal, token });
    if (first.status !== 401 || token === null || options.isOptional) return read(first);
    const second = await send(method, path, { query, body, signal, token: await this.renew(token) });
    return second.status === 401 ? this.#end() : read(second);
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
      const auth = await this.#settled();
      if (auth.access !== refused) return auth.access;
      if (!auth.refresh || !this.#authPrefix) return this.#end();
      const body = { refresh_token: auth.refresh };
      const answer = await send("POST", `${this.#authPrefix}/auth/refresh`, { body });
      if (answer.status === 429 || answer.status >= 500) return read(answer);
      if (answer.status !== 200) {
        const now = this.#session.read();
        return now && now.refresh !== auth.refresh ? now.access : this.#end();
      }
      const pair = read(answer);
      await announce(spent(auth.refresh), SAVE_SEEN_MS);
      // Somebody may have signed out, or in, while the answer was on its way.
      if (this.#session.read()?.refresh !== auth.refresh) throw new SessionOver();
      this.#session.save({ access: pair.access_token, refresh: pair.refresh_token, user_id: auth.user_id });
      return pair.access_token;
    });
  }

  /**
   * What is stored, once it is no more the tokens that another tab has just exchanged: the lock may come to this tab
   * before what the other one saved does.
   */
  async #settled() {
    const stored = this.#session.read();
    if (!stored) throw new SessionOver();
    if (await isAnnounced(spent(stored.refresh))) {
      const came = await this.#session.replaced(stored.refresh, SAVE_SEEN_MS);
      if (!came) throw new ApiError(0, "network", "The server cannot be reached.");
    }
    const auth = this.#session.read();
    if (!auth) throw new SessionOver();
    return auth;
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
}

/** The name under which tabs hear that a refresh token was exchanged. @param {string} refresh */
function spent(refresh) {
  return `auth-spent:${refresh.slice(-20)}`;
}

/** Whether an access token ends soon, by this computer's clock. @param {string} token */
function looksOld(token) {
  const expiry = expiryOf(token);
  return expiry !== null && expiry - EXPIRY_MARGIN_MS <= Date.now();
}
