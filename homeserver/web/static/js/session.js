import { Emitter } from "./client/emitter.js";

const KEY = "auth_data";

/**
 * What a signed-in browser keeps, in the form that the host applications use as well.
 *
 * @typedef {object} AuthData
 * @property {string} access
 * @property {string} refresh
 * @property {number} user_id
 */

/**
 * The login of this browser, shared by all tabs through localStorage.
 *
 * Emits `ended` when nobody is signed in any more (here or in another tab), and `switched` when another tab signed
 * somebody else in: what is on the screen then belongs to the wrong person.
 *
 * @extends {Emitter<{ended: null, switched: null}>}
 */
export class Session extends Emitter {
  #userId;

  /** @param {Storage} [storage] */
  constructor(storage = localStorage) {
    super();
    this.storage = storage;
    this.#userId = this.read()?.user_id ?? null;
    addEventListener("storage", (event) => {
      if (event.key === KEY || event.key === null) this.#compare();
    });
    addEventListener("pageshow", (event) => {
      if (event.persisted) this.#compare();
    });
  }

  /** @returns {AuthData | null} */
  read() {
    try {
      const data = JSON.parse(this.storage.getItem(KEY) ?? "null");
      const userId = Number(data?.user_id ?? data?.id);
      if (typeof data?.access !== "string" || !Number.isInteger(userId)) return null;
      return { access: data.access, refresh: String(data.refresh ?? ""), user_id: userId };
    } catch {
      return null;
    }
  }

  /** @param {AuthData} data */
  save(data) {
    this.#userId = data.user_id;
    this.storage.setItem(KEY, JSON.stringify(data));
  }

  /**
   * Wait until another tab's tokens have come in the place of this refresh token.
   *
   * @param {string} refresh
   * @param {number} timeoutMs
   * @returns {Promise<boolean>} false when the time is over first
   */
  async replaced(refresh, timeoutMs) {
    const isReplaced = () => this.read()?.refresh !== refresh;
    if (isReplaced()) return true;
    const listening = new AbortController();
    const came = await new Promise((resolve) => {
      const timer = setTimeout(() => resolve(isReplaced()), timeoutMs);
      const look = () => {
        if (!isReplaced()) return;
        clearTimeout(timer);
        resolve(true);
      };
      addEventListener("storage", look, { signal: listening.signal });
    });
    listening.abort();
    return came;
  }

  /** Forget the login: afterwards nothing of this person is left in the browser's store. */
  clear() {
    if (this.storage.getItem(KEY) !== null) this.storage.removeItem(KEY);
    if (this.#userId === null) return;
    this.#userId = null;
    this.emit("ended", null);
  }

  /** The person this page was made for. */
  get userId() {
    return this.#userId;
  }

  #compare() {
    const userId = this.read()?.user_id ?? null;
    if (userId === this.#userId) return;
    this.#userId = userId;
    this.emit(userId === null ? "ended" : "switched", null);
  }
}

/**
 * The time at which a JSON Web Token ends, in milliseconds since 1970; null where it does not say.
 *
 * @param {string} token
 * @returns {number | null}
 */
export function expiryOf(token) {
  try {
    const payload = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const expiry = JSON.parse(atob(payload)).exp;
    return typeof expiry === "number" ? expiry * 1000 : null;
  } catch {
    return null;
  }
}
