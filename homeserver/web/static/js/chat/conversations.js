import { Emitter } from "../client/emitter.js";

const PAGE = 50;

/** @typedef {import("../chatapi.js").Conversation} Conversation */

/** When something last happened in it. @param {Conversation} conversation */
export function activityOf(conversation) {
  return conversation.last_message?.created_at ?? conversation.created_at;
}

/**
 * The caller's conversations, kept in step with the server and with what comes live.
 *
 * @extends {Emitter<{change: null, gone: string}>}
 */
export class Conversations extends Emitter {
  #api;
  #ownId;
  /** @type {Map<string, Conversation>} */
  #items = new Map();
  /** @type {Map<string, number>} when a conversation was changed by something newer than a list under way */
  #touched = new Map();
  /** @type {Map<string, string>} the last message when it was marked as read here */
  #readUpTo = new Map();
  #pagesLoaded = 0;
  /** @type {Promise<void> | null} */
  #refreshing = null;
  hasMore = true;
  isLoaded = false;

  /**
   * @param {import("../chatapi.js").ChatApi} api
   * @param {number} ownId
   */
  constructor(api, ownId) {
    super();
    this.#api = api;
    this.#ownId = ownId;
  }

  /** Latest activity first. */
  get list() {
    return [...this.#items.values()].sort((a, b) => compare(activityOf(b), activityOf(a)));
  }

  get unreadTotal() {
    return [...this.#items.values()].reduce((sum, one) => sum + one.unread_count, 0);
  }

  /** @param {string} id */
  get(id) {
    return this.#items.get(id) ?? null;
  }

  /** Ask for the first page again; several wishes at once are one request. */
  refresh() {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async loadMore() {
    if (!this.hasMore || !this.isLoaded) return;
    const page = await this.#api.conversations({ limit: PAGE, offset: this.#pagesLoaded * PAGE });
    this.#pagesLoaded += 1;
    this.hasMore = page.length === PAGE;
    for (const one of page) if (!this.#items.has(one.id)) this.#items.set(one.id, this.#asRead(one));
    this.emit("change", null);
  }

  /** Ask for one conversation, with its participants. @param {string} id */
  async load(id) {
    const conversation = await this.#api.conversation(id);
    this.put(conversation);
    return conversation;
  }

  /** @param {Conversation} conversation */
  put(conversation) {
    const participants = conversation.participants ?? this.get(conversation.id)?.participants;
    this.#touch(conversation.id);
    this.#items.set(conversation.id, this.#asRead({ ...conversation, participants }));
    this.emit("change", null);
  }

  /** @param {string} id */
  remove(id) {
    this.#touch(id);
    if (!this.#items.delete(id)) return;
    this.emit("change", null);
    this.emit("gone", id);
  }

  /**
   * A message came live.
   *
   * @param {import("../chatapi.js").Message} message
   */
  noteMessage(message) {
    const conversation = this.get(message.conversation_id);
    if (!conversation) return;
    const last = conversation.last_message;
    if (last?.id === message.id || (last && compare(last.created_at, message.created_at) > 0)) return;
    const isOther = message.sender_id !== this.#ownId;
    this.#change(conversation, {
      last_message: { id: message.id, sender_id: message.sender_id, text: message.text, created_at: message.created_at },
      unread_count: conversation.unread_count + (isOther ? 1 : 0),
    });
  }

  /** @param {import("../chatapi.js").Message} message */
  noteEdited(message) {
    const conversation = this.get(message.conversation_id);
    if (conversation?.last_message?.id !== message.id) return;
    this.#change(conversation, { last_message: { ...conversation.last_message, text: message.text } });
  }

  /** Everything in it has been seen. @param {string} id */
  noteRead(id) {
    const conversation = this.get(id);
    if (!conversation) return;
    if (conversation.last_message) this.#readUpTo.set(id, conversation.last_message.id);
    if (conversation.unread_count > 0) this.#change(conversation, { unread_count: 0 });
  }

  /** @param {Conversation} conversation @param {Partial<Conversation>} change */
  #change(conversation, change) {
    this.#touch(conversation.id);
    this.#items.set(conversation.id, { ...conversation, ...change });
    this.emit("change", null);
  }

  /** A list that was asked for before we marked it as read still counts. @param {Conversation} one */
  #asRead(one) {
    const isRead = one.last_message !== null && this.#readUpTo.get(one.id) === one.last_message?.id;
    return isRead ? { ...one, unread_count: 0 } : one;
  }

  /** @param {string} id */
  #touch(id) {
    this.#touched.set(id, performance.now());
  }

  async #refresh() {
    const started = performance.now();
    const page = await this.#api.conversations({ limit: PAGE });
    const isWhole = page.length < PAGE;
    const oldest = isWhole ? "" : activityOf(page[page.length - 1]);
    const present = new Set(page.map((one) => one.id));
    const isNewer = (/** @type {string} */ id) => (this.#touched.get(id) ?? -1) >= started;
    /** @type {string[]} */
    const gone = [];
    for (const [id, one] of this.#items) {
      if (present.has(id) || isNewer(id) || compare(activityOf(one), oldest) <= 0) continue;
      this.#items.delete(id);
      gone.push(id);
    }
    for (const one of page) {
      if (isNewer(one.id)) continue;
      const participants = one.participants ?? this.get(one.id)?.participants;
      this.#items.set(one.id, this.#asRead({ ...one, participants }));
    }
    this.#pagesLoaded = Math.max(this.#pagesLoaded, 1);
    if (isWhole) this.hasMore = false;
    this.isLoaded = true;
    this.emit("change", null);
    for (const id of gone) this.emit("gone", id);
  }
}

/** @param {string} a @param {string} b */
function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
