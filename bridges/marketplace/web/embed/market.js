import { errorOf } from "../client/errors.js";
import { read, send } from "../client/request.js";
import { Socket } from "../client/socket.js";
import { upload } from "../client/upload.js";

const PING_MS = 25000;

/**
 * The marketplace's calls and records.
 *
 * @typedef {object} Chat
 * @property {number} id
 * @property {number} iphone_id
 * @property {number} seller_id
 * @property {string} buyer_id
 * @property {boolean} buyer_is_registered
 * @property {string} seller_name
 * @property {string | null} buyer_name
 * @property {number | null} anonymous_buyer_number
 * @property {boolean} is_hidden_by_buyer
 * @property {boolean} is_hidden_by_seller
 * @property {boolean} support_joined
 * @property {number | null} support_user_id
 * @property {string} created_at
 * @property {string} updated_at
 * @property {number} unread_count
 * @property {string | null} last_message
 * @property {string | null} last_message_time
 *
 * @typedef {object} Message
 * @property {number} id
 * @property {number} chat_id
 * @property {string} sender_id
 * @property {boolean} sender_is_registered
 * @property {string | null} message_text null for a file without a text
 * @property {"text" | "image" | "file" | "system"} message_type
 * @property {string | null} file_url
 * @property {string | null} file_name
 * @property {number | null} file_size
 * @property {boolean} is_read
 * @property {string} created_at
 *
 * @typedef {object} NewMessage
 * @property {string} message_text
 * @property {"text" | "image" | "file"} message_type
 * @property {string} [file_url]
 * @property {string} [file_name]
 * @property {number} [file_size]
 * @property {string} client_id a repeated one sends nothing twice
 *
 * @typedef {{file_id: string, file_name: string, file_size: number, public_url: string}} StoredFile
 */

/**
 * A frame of a chat's socket, or of a seller's inbox.
 *
 * @typedef {object} Frame
 * @property {string} type
 * @property {Message} [message]
 * @property {string} [user_id]
 * @property {string[]} [users]
 * @property {boolean} [is_typing]
 * @property {number} [chat_id]
 * @property {number} [id]
 * @property {number} [count]
 * @property {string} [detail]
 * @property {string} [code]
 * @property {number} [retry_ms]
 */

/** One method per call; all of them reject with `ApiError`. */
export class Market {
  #base;
  #prefix;
  #publicUrl;
  #credentials;

  /**
   * @param {object} needs
   * @param {string} needs.base
   * @param {string} needs.prefix
   * @param {import("./identity.js").Identity} needs.identity
   * @param {string} [needs.publicUrl]
   * @param {RequestCredentials} [needs.credentials]
   */
  constructor({ base, prefix, identity, publicUrl = base, credentials = "same-origin" }) {
    this.#base = base;
    this.#prefix = prefix;
    this.#publicUrl = publicUrl;
    this.#credentials = credentials;
    this.identity = identity;
  }

  /**
   * The chat of the reader with a seller about a listing, opened if there is none.
   *
   * @param {number | string} sellerId
   * @param {number | string} iphoneId
   * @returns {Promise<Chat>}
   */
  find(sellerId, iphoneId) {
    return this.#call("GET", "chats/find", ({ id }) => ({ query: { iphone_id: iphoneId, seller_id: sellerId, buyer_id: id } }));
  }

  /** The chats that the reader has as a buyer, newest first. @returns {Promise<Chat[]>} */
  mine(limit = 50) {
    return this.#call("GET", "chats/my", ({ id }) => ({ query: { user_id: id, is_seller: "false", limit } }));
  }

  /** A seller's chats by listing. @param {number | string} sellerId @returns {Promise<Record<string, Chat[]>>} */
  grouped(sellerId) {
    return this.#call("GET", `chats/seller/${encodeURIComponent(sellerId)}/grouped`);
  }

  /** @param {number} id @returns {Promise<Chat>} */
  info(id) {
    return this.#call("GET", `chats/${id}/info`);
  }

  /** A page of messages, oldest first. @param {number} id @param {{limit: number, before: number}} page @returns {Promise<Message[]>} */
  messages(id, page) {
    return this.#call("GET", `chats/${id}/messages`, { query: page });
  }

  /** @param {number} id @param {NewMessage} message @returns {Promise<Message>} */
  send(id, message) {
    return this.#call("POST", `chats/${id}/messages`, ({ id: own }) => ({ body: { ...message, sender_id: own } }));
  }

  /** @param {number} id @returns {Promise<{marked_as_read: number}>} */
  read(id) {
    return this.#call("POST", `chats/${id}/read`);
  }

  /** Away from the reader's list, until something new is said. @param {number} id */
  hide(id) {
    return this.#call("POST", `chats/${id}/hide`);
  }

  /** @param {number} id */
  inviteSupport(id) {
    return this.#call("POST", `chats/${id}/invite-support`);
  }

  /** No word any more between the two of this chat. @param {number} id */
  block(id) {
    return this.#call("POST", `chats/${id}/block`);
  }

  /** @param {number} id */
  unblock(id) {
    return this.#call("DELETE", `chats/${id}/block`);
  }

  /** Tell the people who run the server of a message. @param {number} id @param {number} messageId @param {string} reason */
  report(id, messageId, reason) {
    return this.#call("POST", `chats/${id}/report`, { body: { message_id: messageId, ...(reason ? { reason } : {}) } });
  }

  /** @returns {Promise<string>} the key that a push subscription is made with */
  async vapidKey() {
    return (await this.#call("GET", "push/vapid-public-key")).publicKey;
  }

  /** @param {PushSubscriptionJSON} subscription */
  subscribe({ endpoint, keys }) {
    return this.#call("POST", "push/subscribe", { body: { endpoint, keys } });
  }

  /** @param {string} endpoint */
  unsubscribe(endpoint) {
    return this.#call("POST", "push/unsubscribe", { body: { endpoint } });
  }

  /**
   * Send a file; a message then names it.
   *
   * @param {File} file
   * @param {{onProgress?: (progress: number) => void, signal?: AbortSignal}} [options] progress from 0 to 1
   * @returns {Promise<StoredFile>}
   */
  async upload(file, { onProgress, signal } = {}) {
    return this.#asCaller((token, who) => {
      const form = new FormData();
      form.append("file", file, file.name || "file");
      const url = `${this.#base}${this.#prefix}/upload-file?${new URLSearchParams(who)}`;
      return upload(url, form, { token, onProgress, signal, withCredentials: this.#credentials === "include" });
    });
  }

  /** The socket of a chat, not yet open. @param {number} id @returns {Socket<Frame>} */
  chatLine(id) {
    return this.#line(`ws/${id}`);
  }

  /** The socket of all chats of a seller. @param {number | string} sellerId @returns {Socket<Frame>} */
  inboxLine(sellerId) {
    return this.#line(`ws/seller/${encodeURIComponent(sellerId)}`);
  }

  /**
   * Where a file of this server can be loaded from; null for an address elsewhere, of which nothing is loaded.
   *
   * @param {string | null} url
   * @returns {string | null}
   */
  ownFile(url) {
    try {
      const { origin, pathname, search } = new URL(url ?? "", this.#publicUrl);
      const base = new URL(this.#base, location.href);
      const isOurs = origin === new URL(this.#publicUrl).origin || origin === base.origin;
      if (!isOurs || !pathname.startsWith("/media/")) return null;
      return base.origin + pathname + search;
    } catch {
      return null;
    }
  }

  /** @param {string} path @returns {Socket<Frame>} */
  #line(path) {
    /** @type {string | null} */
    let last = null;
    return new Socket({
      address: async () => {
        const { person, token } = await this.identity.caller();
        last = token;
        const query = new URLSearchParams(token === null ? { user_id: person.id } : { token });
        return `${this.#base}${this.#prefix}/${path}?${query}`;
      },
      renew: () => this.identity.refused(last),
      pingMs: PING_MS,
    });
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Parts | ((person: import("./identity.js").Person) => Parts)} [parts]
   * @returns {Promise<any>}
   *
   * @typedef {{query?: Record<string, string | number>, body?: unknown}} Parts
   */
  #call(method, path, parts = {}) {
    return this.#asCaller((token, who, person) => {
      const { query = {}, body } = typeof parts === "function" ? parts(person) : parts;
      const address = `${this.#base}${this.#prefix}/${path}`;
      return send(method, address, { query: { ...who, ...query }, body, token, credentials: this.#credentials });
    });
  }

  /**
   * Whoever has no token is named in the query.
   *
   * @param {(token: string | null, who: {user_id?: string}, person: import("./identity.js").Person) => Promise<import("../client/request.js").Answer>} attempt
   */
  async #asCaller(attempt) {
    const once = async () => {
      const { person, token } = await this.identity.caller();
      return { token, answer: await attempt(token, token === null ? { user_id: person.id } : {}, person) };
    };
    const { token, answer } = await once();
    if (answer.status !== 401 || !(await this.identity.refused(token, errorOf(answer).code))) return read(answer);
    return read((await once()).answer);
  }
}
