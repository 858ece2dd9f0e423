import { Emitter } from "../client/emitter.js";
import { ApiError } from "../client/errors.js";

const MOST_ASKED = 5;
const OLD_MS = 300000;

/**
 * @typedef {import("./market.js").Chat} Chat
 * @typedef {import("./market.js").Message} Message
 * @typedef {{listing: string, chats: Chat[], unread: number}} Group
 */

/**
 * A seller's chats, kept up to date by the socket of the inbox. Emits `change` when something looks different,
 * `message` when somebody else said something, `gone` when a chat left the list.
 *
 * @extends {Emitter<{change: null, message: Message, gone: number}>}
 */
export class ChatList extends Emitter {
  #market;
  #sellerId;
  #line;
  /** @type {Map<number, Chat>} */
  #chats = new Map();
  /** @type {Group[] | null} what `groups` answered last */
  #groups = null;
  /** @type {(() => void)[] | null} what to do again once the list that is on its way is here; null: none is */
  #early = null;
  #isStale = false;
  #loadedAt = 0;
  /** @type {Map<number, boolean>} chats that are being asked for, and whether there was news of them meanwhile */
  #asked = new Map();
  #onVisible = () => this.#look();

  /**
   * @param {import("./market.js").Market} market
   * @param {string} sellerId
   */
  constructor(market, sellerId) {
    super();
    this.#market = market;
    this.#sellerId = sellerId;
    this.#line = market.inboxLine(sellerId);
    this.isLoaded = false;
    /** @type {unknown} why the list could not be loaded */
    this.error = null;
  }

  /** How the socket is doing. */
  get state() {
    return this.#line.state;
  }

  get unread() {
    return this.groups().reduce((sum, group) => sum + group.unread, 0);
  }

  open() {
    this.#line.on("frame", (frame) => this.#hear(frame));
    this.#line.on("state", () => this.emit("change", null));
    document.addEventListener("visibilitychange", this.#onVisible);
    this.#line.open();
    return this.load();
  }

  close() {
    document.removeEventListener("visibilitychange", this.#onVisible);
    this.#line.close();
  }

  retry() {
    this.#line.retry();
    return this.load();
  }

  /** @param {number} id */
  get(id) {
    return this.#chats.get(id) ?? null;
  }

  /** All chats by listing; what was said last stands first. */
  groups() {
    if (this.#groups) return this.#groups;
    /** @type {Map<string, Group>} */
    const groups = new Map();
    for (const chat of [...this.#chats.values()].sort(newestFirst)) {
      const listing = String(chat.iphone_id);
      const group = groups.get(listing) ?? { listing, chats: [], unread: 0 };
      group.chats.push(chat);
      group.unread += chat.unread_count;
      groups.set(listing, group);
    }
    this.#groups = [...groups.values()];
    return this.#groups;
  }

  /** Ask for the whole list; what is said meanwhile is added to it. */
  async load() {
    if (this.#early) {
      this.#isStale = true;
      return;
    }
    this.#early = [];
    this.#isStale = false;
    this.error = null;
    try {
      const groups = await this.#market.grouped(this.#sellerId);
      this.#chats = new Map(Object.values(groups).flat().map((chat) => [chat.id, chat]));
      this.isLoaded = true;
      this.#loadedAt = Date.now();
    } catch (error) {
      this.error = error;
    }
    const early = this.#early;
    this.#early = null;
    for (const again of early) again();
    this.#changed();
    if (this.#isStale) await this.load();
  }

  /** Away from the list until something new is said. @param {number} id */
  async hide(id) {
    const chat = this.#chats.get(id);
    if (!chat) return;
    this.#remove(id);
    try {
      await this.#market.hide(id);
    } catch (error) {
      this.#put(chat);
      throw error;
    }
  }

  /** What the open chat shows is the last word of it, whoever said it. @param {Message} message */
  shown(message) {
    this.#early?.push(() => this.shown(message));
    const chat = this.#chats.get(message.chat_id);
    if (chat && !this.#isCounted(message)) this.#put({ ...chat, ...lastOf(message) });
  }

  /** A chat that is not in the list, such as one that was hidden. @param {number} id */
  async fetch(id) {
    const chat = await this.#market.info(id);
    if (String(chat.seller_id) === this.#sellerId) this.#put(chat);
    return this.get(id);
  }

  /** @param {{type: string} & Record<string, any>} frame */
  #hear(frame) {
    if (frame.type === "connected") {
      // Also after a break: the list then tells what was missed.
      if (this.isLoaded) void this.load();
    } else if (frame.type === "message") {
      if (this.#early) this.#early.push(() => this.#isCounted(frame.message) || this.#take(frame.message));
      else this.#take(frame.message);
      this.emit("message", frame.message);
    } else if (frame.type === "messages_read" && String(frame.user_id) === this.#sellerId) {
      this.#read(frame.chat_id, frame.count);
    } else if (frame.type === "chat_deleted") {
      this.#remove(frame.chat_id);
    } else if (frame.type === "message_edited" || frame.type === "message_deleted") {
      // What was said last, and how much is unread, may be something else now.
      const id = frame.message?.chat_id ?? frame.chat_id;
      if (this.#early) this.#isStale = true;
      else if (this.#chats.has(id)) void this.#ask(id);
    }
  }

  /** @param {Message} message */
  #take(message) {
    const chat = this.#chats.get(message.chat_id);
    if (!chat || this.#asked.has(message.chat_id)) return void this.#ask(message.chat_id);
    this.#put({ ...chat, ...lastOf(message), unread_count: chat.unread_count + 1 });
  }

  /** @param {number} id @param {number} count how many messages are no longer unread */
  #read(id, count) {
    if (this.#early) this.#isStale = true;
    if (this.#asked.has(id)) return void this.#ask(id);
    const chat = this.#chats.get(id);
    if (chat && count > 0) this.#put({ ...chat, unread_count: Math.max(0, chat.unread_count - count) });
  }

  /** Ask for one chat: it is new, was hidden, or something in it was changed. @param {number} id */
  async #ask(id) {
    if (this.#asked.has(id)) return void this.#asked.set(id, true);
    if (this.#asked.size >= MOST_ASKED) return this.load();
    try {
      do {
        this.#asked.set(id, false);
        await this.fetch(id);
      } while (this.#asked.get(id));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // The next look at the whole list brings it, if it is still there.
    } finally {
      this.#asked.delete(id);
    }
  }

  /** Whether the list had the message already when it was made. @param {Message} message */
  #isCounted(message) {
    const last = this.#chats.get(message.chat_id)?.last_message_time;
    return Boolean(last && last >= message.created_at);
  }

  /** A page that comes back after a long time may have missed an edit or a deletion. */
  #look() {
    if (document.visibilityState === "visible" && Date.now() - this.#loadedAt > OLD_MS) void this.load();
  }

  /** @param {Chat} chat */
  #put(chat) {
    this.#chats.set(chat.id, chat);
    this.#changed();
  }

  /** @param {number} id */
  #remove(id) {
    this.#chats.delete(id);
    this.#changed();
    this.emit("gone", id);
  }

  #changed() {
    this.#groups = null;
    this.emit("change", null);
  }
}

/** @param {Chat} chat */
export function activityOf(chat) {
  return chat.last_message_time ?? chat.created_at;
}

/** @param {Chat} a @param {Chat} b */
function newestFirst(a, b) {
  const [one, other] = [activityOf(a), activityOf(b)];
  return one < other ? 1 : one > other ? -1 : b.id - a.id;
}

/** @param {Message} message @returns {Partial<Chat>} */
function lastOf(message) {
  return { last_message: message.message_text || message.file_name, last_message_time: message.created_at, updated_at: message.created_at };
}
