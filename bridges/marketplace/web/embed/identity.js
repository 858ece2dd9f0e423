import { Emitter } from "../client/emitter.js";
import { ApiError, SessionOver } from "../client/errors.js";
import { exclusive } from "../client/exclusive.js";
import { read, send } from "../client/request.js";
import { recall, remember } from "./store.js";

const GUEST_KEY = "anonymous_user_id";
const VERSION_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/**
 * Who talks. `id` is what the chat API calls them: a registered person's number as text, or a guest's UUID. The UUID
 * proves that one is the guest, so it goes to nobody but the chat server.
 *
 * @typedef {{id: string, isRegistered: boolean}} Person
 * @typedef {{person: Person, token: string | null}} Caller
 */

/**
 * Finds out who the reader is, and notices when that changes. One who signs in takes along what they had as a guest.
 *
 * @extends {Emitter<{change: Person | null}>}
 */
export class Identity extends Emitter {
  #options;
  /** @type {string | null} */
  #token = null;
  /** @type {Promise<Person | null> | null} */
  #person = null;
  /** @type {string | null} empty: nobody yet; null: nobody has asked yet */
  #lastId = null;

  /** @param {import("./options.js").Options} options */
  constructor(options) {
    super();
    this.#options = options;
  }

  /** Whether the reader was ever here, as far as one can tell without asking the server. */
  async isKnown() {
    return this.#options.userId !== null || storedGuest() !== null || (await this.#currentToken(null)) !== null;
  }

  /** @returns {Promise<Person>} who the reader is at this moment */
  async me() {
    return (await this.caller()).person;
  }

  /** The same with the token that proves it; null where a UUID or a cookie does. @returns {Promise<Caller>} */
  async caller() {
    const person = (await this.#find()) ?? ownGuest();
    this.#compare(person);
    return { person, token: this.#token };
  }

  /** The same for a page that guests have no use of: who is nobody yet does not become a guest. */
  async known() {
    const person = await this.#find();
    this.#compare(person);
    return person;
  }

  /** @returns {Promise<Person | null>} null: nobody yet */
  async #find() {
    const token = await this.#currentToken(null);
    if (this.#person === null || token !== this.#token) {
      this.#token = token;
      const asked = this.#ask(token);
      this.#person = asked;
      // Whoever waits for it hears of a failure; the next call asks again.
      asked.catch(() => {
        if (this.#person === asked) this.#person = null;
      });
    }
    return this.#person;
  }

  /**
   * The server refused the caller (401): find other proof.
   *
   * @param {string | null} token the one that was refused
   * @param {string} [code] why
   * @returns {Promise<boolean>} whether it is worth another try
   */
  async refused(token, code = "") {
    if (token === null) {
      // The guest's cookie is gone, so nobody can be this guest any more.
      if (code !== "guest_bound") return false;
      this.#forgetGuest();
      return true;
    }
    const other = await this.#currentToken(token);
    this.#person = null;
    return other !== null && other !== token; // who signed out does not go on as a guest
  }

  /** Ask again who the reader is, at the next call. */
  refresh() {
    this.#person = null;
  }

  /** @param {string | null} refused @returns {Promise<string | null>} */
  async #currentToken(refused) {
    const { token } = this.#options;
    if (typeof token === "function") return (await token(refused)) || null;
    return token || storedToken();
  }

  /** @param {string | null} token @returns {Promise<Person | null>} */
  async #ask(token) {
    const { base, prefix, credentials, userId } = this.#options;
    if (userId !== null && token === null) return { id: userId, isRegistered: true };
    const sendsCookies = credentials === "include" || new URL(base, location.href).origin === location.origin;
    if (token === null && !sendsCookies) return keptGuest();
    const said = await this.#askServer(token, `${base}${prefix}/me`);
    if (said.is_registered) {
      if (storedGuest() !== null) await exclusive("chat-claim", () => this.#claim(token));
      return { id: said.user_id, isRegistered: true };
    }
    if (said.user_id !== null && storedGuest() === null) remember(GUEST_KEY, said.user_id);
    return keptGuest();
  }

  /** @param {string | null} token @param {string} address */
  async #askServer(token, address) {
    const { credentials } = this.#options;
    const answer = await send("GET", address, { token, credentials });
    if (answer.status !== 401 || token === null) return read(answer);
    const other = await this.#currentToken(token);
    if (other === null || other === token) throw new SessionOver();
    this.#token = other;
    return read(await send("GET", address, { token: other, credentials }));
  }

  /** Take over what the reader said as a guest. @param {string | null} token */
  async #claim(token) {
    const guest = storedGuest();
    if (guest === null) return; // Another tab was quicker.
    const { base, prefix, credentials } = this.#options;
    try {
      read(await send("POST", `${base}${prefix}/guests/claim`, { token, credentials, body: { guest_id: guest } }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.isPassing) return; // The UUID stays, for the next time.
    }
    remember(GUEST_KEY, null);
  }

  #forgetGuest() {
    remember(GUEST_KEY, null);
    this.#person = null;
  }

  /** @param {Person | null} person */
  #compare(person) {
    const id = person?.id ?? "";
    if (id === this.#lastId) return;
    const isFirst = this.#lastId === null;
    this.#lastId = id;
    if (!isFirst) this.emit("change", person);
  }
}

/** What the marketplace's own pages, or ours, keep of a login. @returns {string | null} */
function storedToken() {
  const plain = recall("access_token");
  if (plain) return plain;
  try {
    const kept = JSON.parse(recall("auth_data") ?? "null");
    return typeof kept?.access === "string" && kept.access ? kept.access : null;
  } catch {
    return null; // Something else of that name.
  }
}

/** @returns {string | null} */
function storedGuest() {
  const kept = recall(GUEST_KEY);
  return kept !== null && VERSION_4.test(kept) ? kept.toLowerCase() : null;
}

/** @returns {Person | null} */
function keptGuest() {
  const id = storedGuest();
  return id === null ? null : { id, isRegistered: false };
}

/** @returns {Person} */
function ownGuest() {
  const id = storedGuest() ?? newGuest();
  remember(GUEST_KEY, id);
  return { id, isRegistered: false };
}

/** A UUID of version 4. Works on plain http, where `crypto.randomUUID` does not. */
function newGuest() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
