import { Emitter } from "../client/emitter.js";

/**
 * A message that the server has not confirmed yet. `message` is the server's answer while its place in the order is
 * not known; `files` are what is being sent with it.
 *
 * @typedef {object} Pending
 * @property {string} clientId
 * @property {string} text
 * @property {string | null} replyTo
 * @property {string} createdAt
 * @property {"sending" | "failed" | "sent"} state
 * @property {string} error why it failed, for people
 * @property {boolean} [isPassing] whether it may well work later
 * @property {import("./uploads.js").Upload[]} files
 * @property {string | null} messageId the message that its files belong to, once there is one
 * @property {import("../chatapi.js").Message | null} message
 */

/** @typedef {import("../chatapi.js").Message} Message */

/**
 * The messages of one conversation that this page knows, oldest first, without gaps and without doubles, and those of
 * our own that are still on their way.
 *
 * While a page is being loaded, live messages are held back, so that they end up behind what the page brings.
 *
 * @extends {Emitter<{change: null, arrived: Message}>}
 */
export class Timeline extends Emitter {
  /** @type {Message[]} */
  messages = [];
  /** @type {Pending[]} */
  pending = [];
  hasOlder = false;
  isLoaded = false;
  /** @type {Map<string, Message>} */
  #byId = new Map();
  /** @type {Set<string>} */
  #deleted = new Set();
  /** @type {Message[]} */
  #held = [];
  /** @type {Map<string, Message>} edited while a page is being loaded, which may be older than that */
  #edited = new Map();
  #holds = 0;
  /** @type {Map<number, string>} how far each person has read, as far as we have heard */
  #readers = new Map();

  /** @param {string} id */
  get(id) {
    return this.#byId.get(id) ?? null;
  }

  get last() {
    return this.messages.at(-1) ?? null;
  }

  /** Hold live messages back until `release`. */
  hold() {
    this.#holds += 1;
  }

  release() {
    this.#holds -= 1;
    if (this.#holds > 0) return;
    const held = this.#held;
    const edited = this.#edited;
    this.#held = [];
    this.#edited = new Map();
    for (const message of held) this.add(message);
    for (const message of edited.values()) this.update(message);
  }

  /**
   * Start from a newest page.
   *
   * @param {Message[]} page
   * @param {boolean} hasOlder
   */
  reset(page, hasOlder) {
    this.messages = [];
    this.#byId.clear();
    this.hasOlder = hasOlder;
    this.isLoaded = true;
    this.append(page);
    this.emit("change", null);
  }

  /**
   * @param {Message[]} page
   * @param {boolean} hasOlder
   */
  prepend(page, hasOlder) {
    const fresh = page.filter((message) => !this.#byId.has(message.id) && !this.#deleted.has(message.id));
    for (const message of fresh) this.#byId.set(message.id, message);
    this.messages = [...fresh, ...this.messages];
    this.hasOlder = hasOlder;
    this.emit("change", null);
  }

  /** Messages in the server's order; what is known already is brought up to date. @param {Message[]} page */
  append(page) {
    for (const message of page) this.#put(message);
    this.emit("change", null);
  }

  /** A message that came live. @param {Message} message */
  add(message) {
    if (this.#holds > 0) {
      this.#held.push(message);
      return;
    }
    if (!this.isLoaded) return;
    const isNew = !this.#byId.has(message.id);
    this.#put(message);
    this.emit("change", null);
    if (isNew) this.emit("arrived", message);
  }

  /** A message as it reads now, if we have it. @param {Message} message */
  update(message) {
    this.#held = this.#held.map((held) => (held.id === message.id ? message : held));
    if (this.#holds > 0) this.#edited.set(message.id, message);
    if (!this.#byId.has(message.id)) return;
    this.#put(message);
    this.emit("change", null);
  }

  /** @param {string} id */
  remove(id) {
    this.#deleted.add(id);
    this.#held = this.#held.filter((message) => message.id !== id);
    this.pending = this.pending.filter((one) => one.message?.id !== id);
    if (this.#byId.delete(id)) this.messages = this.messages.filter((message) => message.id !== id);
    this.emit("change", null);
  }

  /** Take a deletion back that the server refused. @param {Message} message @param {number} index */
  restore(message, index) {
    this.#deleted.delete(message.id);
    if (!this.#byId.has(message.id)) {
      this.#byId.set(message.id, message);
      this.messages = [...this.messages.slice(0, index), message, ...this.messages.slice(index)];
    }
    this.emit("change", null);
  }

  /**
   * Put a page over the same stretch of what we have: it brings what is new, edited or read, and what it lacks was
   * deleted.
   *
   * @param {Message[]} page
   * @param {string | null} beforeId the message that the page ends before; null for a newest page
   * @param {boolean} hasOlder whether there are messages before the page
   * @returns {boolean} false where the page has nothing in common with what we have; then nothing was changed
   */
  merge(page, beforeId, hasOlder) {
    const end = beforeId === null ? this.messages.length : this.messages.findIndex((one) => one.id === beforeId);
    const joins = page.some((one) => this.#byId.has(one.id)) || end === 0 || page.length === 0;
    if (end < 0 || !joins) return false;
    const reachesFurther = page.length === 0 || !this.#byId.has(page[0].id);
    const start = reachesFurther ? 0 : this.messages.findIndex((one) => one.id === page[0].id);
    const fresh = page.filter((one) => !this.#deleted.has(one.id));
    for (const one of this.messages.slice(start, end)) this.#byId.delete(one.id);
    for (const one of fresh) {
      this.#byId.set(one.id, one);
      this.#settle(one);
    }
    this.messages = [...this.messages.slice(0, start), ...fresh, ...this.messages.slice(end)];
    if (reachesFurther) this.hasOlder = hasOlder;
    this.emit("change", null);
    return true;
  }

  /** Keep only the newest messages. @param {number} count */
  trim(count) {
    if (this.messages.length <= count) return;
    for (const one of this.messages.slice(0, -count)) this.#byId.delete(one.id);
    this.messages = this.messages.slice(-count);
    this.hasOlder = true;
  }

  /** @param {Pending} pending */
  addPending(pending) {
    this.pending = [...this.pending, pending];
    this.emit("change", null);
  }

  /** @param {string} clientId @param {Partial<Pending>} change */
  changePending(clientId, change) {
    this.pending = this.pending.map((one) => (one.clientId === clientId ? { ...one, ...change } : one));
    this.emit("change", null);
  }

  /** @param {string} clientId */
  dropPending(clientId) {
    this.pending = this.pending.filter((one) => one.clientId !== clientId);
    this.emit("change", null);
  }

  /**
   * Somebody has read up to a message.
   *
   * @param {number} userId
   * @param {string} messageId
   * @param {number} ownId
   * @param {number} mostReaders
   * @returns {boolean} false where we do not know what they had read before, so that the counts must be asked for
   */
  markRead(userId, messageId, ownId, mostReaders) {
    const before = this.#readers.get(userId);
    const end = this.messages.findIndex((message) => message.id === messageId);
    const start = before === undefined ? -1 : this.messages.findIndex((message) => message.id === before);
    if (end < 0 || start > end) return true;
    this.#readers.set(userId, messageId);
    if (mostReaders > 1 && start < 0) return false;
    this.messages = this.messages.map((message, index) => {
      if (index <= start || index > end || message.sender_id === userId) return message;
      const count = Math.min(mostReaders, mostReaders === 1 ? 1 : message.read_by_count + 1);
      if (count === message.read_by_count || message.sender_id !== ownId) return message;
      const changed = { ...message, read_by_count: count };
      this.#byId.set(message.id, changed);
      return changed;
    });
    this.emit("change", null);
    return true;
  }

  /** @param {Message} message */
  #put(message) {
    if (this.#deleted.has(message.id)) return;
    this.#settle(message);
    const known = this.#byId.get(message.id);
    this.#byId.set(message.id, message);
    if (known) {
      this.messages = this.messages.map((one) => (one.id === message.id ? message : one));
    } else {
      this.messages.push(message);
    }
  }

  /** The server has it: it is pending no more, unless files of it are still to come. @param {Message} message */
  #settle(message) {
    const isOf = (/** @type {Pending} */ one) => one.clientId === message.client_id || one.message?.id === message.id;
    if (this.pending.some(isOf)) this.pending = this.pending.filter((one) => !isOf(one) || one.files.length > 0);
  }
}
