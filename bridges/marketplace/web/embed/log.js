import { Emitter } from "../client/emitter.js";

/**
 * A file on its way with a message.
 *
 * @typedef {object} Sending
 * @property {File} file
 * @property {string | null} previewUrl
 * @property {number} progress 0 to 1
 * @property {import("./market.js").StoredFile | null} stored once the server has it
 * @property {AbortController} ending
 *
 * @typedef {object} Pending a message that the server has not confirmed yet
 * @property {string} clientId
 * @property {string} text
 * @property {Sending | null} file
 * @property {string} createdAt
 * @property {"sending" | "failed"} state
 * @property {string} error why it failed, for people
 * @property {boolean} isPassing whether it may well work later
 */

/** @typedef {import("./market.js").Message} Message */

/**
 * The messages of one chat that this page knows, by their ids, without gaps; and those of our own on their way.
 *
 * @extends {Emitter<{change: null, arrived: Message}>}
 */
export class Log extends Emitter {
  /** @type {Message[]} oldest first */
  messages = [];
  /** @type {Pending[]} */
  pending = [];
  hasOlder = false;
  isLoaded = false;
  #ownId;
  /** @type {Set<number>} */
  #deleted = new Set();
  /** @type {Message[]} our own, held back while it is not known which of the pending ones they are */
  #held = [];

  /** @param {string} ownId */
  constructor(ownId) {
    super();
    this.#ownId = ownId;
  }

  get last() {
    return this.messages.at(-1) ?? null;
  }

  /** Start from a newest page; what was heard while it was on its way stays behind it. @param {Message[]} page @param {boolean} hasOlder */
  reset(page, hasOlder) {
    const end = page.at(-1)?.id ?? 0;
    this.messages = [...page, ...this.messages.filter((one) => one.id > end)].filter((one) => !this.#deleted.has(one.id));
    this.hasOlder = hasOlder;
    this.isLoaded = true;
    this.emit("change", null);
  }

  /**
   * Put a newest page over what we have: it brings what is new, edited or read, and what it lacks was deleted.
   *
   * @param {Message[]} page
   * @param {boolean} hasOlder whether there are messages before the page
   * @returns {boolean} false where messages are missing in between; then nothing was changed
   */
  merge(page, hasOlder) {
    const first = page[0]?.id ?? 0;
    const end = page.at(-1)?.id ?? 0;
    if (hasOlder && this.last && this.last.id < first) return false;
    const before = this.messages.filter((one) => hasOlder && one.id < first);
    const after = this.messages.filter((one) => one.id > end);
    this.messages = [...before, ...page.filter((one) => !this.#deleted.has(one.id)), ...after];
    if (before.length === 0) this.hasOlder = hasOlder;
    this.emit("change", null);
    return true;
  }

  /** @param {Message[]} page @param {boolean} hasOlder */
  prepend(page, hasOlder) {
    const first = this.messages[0]?.id ?? Infinity;
    this.messages = [...page.filter((one) => one.id < first && !this.#deleted.has(one.id)), ...this.messages];
    this.hasOlder = hasOlder;
    this.emit("change", null);
  }

  /** A message that came live. @param {Message} message */
  add(message) {
    const isOwn = message.sender_id === this.#ownId;
    if (isOwn && this.pending.some((one) => one.state === "sending")) {
      this.#held.push(message);
      return;
    }
    const isNew = this.#put(message);
    // Who answers has read.
    if (!isOwn && message.message_type !== "system") this.othersRead();
    else this.emit("change", null);
    if (isNew) this.emit("arrived", message);
  }

  /** A message as it reads now, if we have it. @param {Message} message */
  update(message) {
    if (!this.messages.some((one) => one.id === message.id)) return;
    this.#put(message);
    this.emit("change", null);
  }

  /** @param {number} id */
  remove(id) {
    this.#deleted.add(id);
    this.#held = this.#held.filter((one) => one.id !== id);
    this.messages = this.messages.filter((one) => one.id !== id);
    this.emit("change", null);
  }

  /** The other side has read all there is of us. */
  othersRead() {
    this.messages = this.messages.map((one) => (one.is_read || one.sender_id !== this.#ownId ? one : { ...one, is_read: true }));
    this.emit("change", null);
  }

  /** @param {Pending} pending */
  addPending(pending) {
    this.pending = [...this.pending, pending];
    this.emit("change", null);
  }

  /** @param {string} clientId @param {Partial<Pending>} change */
  changePending(clientId, change) {
    this.pending = this.pending.map((one) => (one.clientId === clientId ? { ...one, ...change } : one));
    this.#release();
  }

  /** The server has it, or it was given up. @param {string} clientId @param {Message | null} [message] what became of it */
  dropPending(clientId, message = null) {
    this.pending = this.pending.filter((one) => one.clientId !== clientId);
    this.#release(message ? [message] : []);
  }

  /** @param {Message[]} [confirmed] */
  #release(confirmed = []) {
    const isOver = !this.pending.some((one) => one.state === "sending");
    const released = isOver ? [...confirmed, ...this.#held] : confirmed;
    if (isOver) this.#held = [];
    const arrived = released.filter((one) => this.#put(one));
    this.emit("change", null);
    for (const one of arrived) this.emit("arrived", one);
  }

  /** @param {Message} message @returns {boolean} whether it was not known */
  #put(message) {
    if (this.#deleted.has(message.id)) return false;
    const at = this.messages.findIndex((one) => one.id >= message.id);
    const isKnown = this.messages[at]?.id === message.id;
    const rest = at < 0 ? [] : this.messages.slice(isKnown ? at + 1 : at);
    this.messages = [...(at < 0 ? this.messages : this.messages.slice(0, at)), message, ...rest];
    return !isKnown;
  }
}
