import { Emitter } from "../client/emitter.js";
import { Socket } from "../socket.js";

const MOST_SOCKETS = 5;
const ALWAYS_RECENT = 2;
const STILL_RECENT = 8;
const HIDDEN_KEEP_MS = 60000;
const VISIBLE_POLL_MS = 15000;
const HIDDEN_POLL_MS = 30000;

/**
 * The sockets of the open conversation and of the most recent others, at most five, and a slow look at the list for
 * all the rest. A page in the background keeps only the open conversation's socket.
 *
 * @extends {Emitter<{
 *   frame: {conversationId: string, frame: import("../socket.js").Frame},
 *   state: {conversationId: string, state: import("../socket.js").SocketState},
 *   poll: null,
 * }>}
 */
export class Live extends Emitter {
  #api;
  #pathOf;
  /** @type {Map<string, Socket>} */
  #sockets = new Map();
  /** @type {string | null} */
  #active = null;
  /** @type {string[]} */
  #recent = [];
  #isAwake = !document.hidden;
  #sleepTimer = 0;
  #pollTimer = 0;
  #ending = new AbortController();

  /**
   * @param {import("../api.js").Api} api
   * @param {(conversationId: string) => string} pathOf
   */
  constructor(api, pathOf) {
    super();
    this.#api = api;
    this.#pathOf = pathOf;
    const { signal } = this.#ending;
    document.addEventListener("visibilitychange", () => this.#visibilityChanged(), { signal });
    addEventListener("focus", () => this.#poll(), { signal });
    addEventListener("online", () => this.#poll(), { signal });
    this.#schedulePoll();
  }

  /** The conversation on the screen. @param {string | null} conversationId */
  setActive(conversationId) {
    this.#active = conversationId;
    this.#adjust();
  }

  /** The most recent conversations, newest first. @param {string[]} conversationIds */
  setRecent(conversationIds) {
    this.#recent = conversationIds.slice(0, STILL_RECENT);
    this.#adjust();
  }

  /** @param {string} conversationId */
  socket(conversationId) {
    return this.#sockets.get(conversationId) ?? null;
  }

  /** Close everything for good. */
  close() {
    this.#ending.abort();
    clearTimeout(this.#sleepTimer);
    clearTimeout(this.#pollTimer);
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  #adjust() {
    if (this.#ending.signal.aborted) return;
    const wanted = this.#wanted();
    for (const [id, socket] of this.#sockets) {
      if (wanted.has(id)) continue;
      this.#sockets.delete(id);
      socket.close();
    }
    for (const id of wanted) if (!this.#sockets.has(id)) this.#open(id);
  }

  /** The conversations to listen to. One that has a socket keeps it for a while, lest a busy list opens and closes. */
  #wanted() {
    const recent = this.#isAwake ? this.#recent : [];
    const ranked = [
      ...(this.#active ? [this.#active] : []),
      ...recent.slice(0, ALWAYS_RECENT),
      ...recent.filter((id) => this.#sockets.has(id)),
      ...recent,
    ];
    return new Set([...new Set(ranked)].slice(0, MOST_SOCKETS));
  }

  /** @param {string} conversationId */
  #open(conversationId) {
    const socket = new Socket(this.#api, this.#pathOf(conversationId));
    this.#sockets.set(conversationId, socket);
    socket.on("frame", (frame) => this.emit("frame", { conversationId, frame }));
    socket.on("state", (state) => this.emit("state", { conversationId, state }));
    socket.open();
  }

  #visibilityChanged() {
    clearTimeout(this.#sleepTimer);
    if (document.hidden) {
      this.#sleepTimer = setTimeout(() => {
        this.#isAwake = false;
        this.#adjust();
      }, HIDDEN_KEEP_MS);
      return;
    }
    this.#isAwake = true;
    for (const socket of this.#sockets.values()) if (socket.state !== "open") socket.retry();
    this.#adjust();
    this.#poll();
  }

  #poll() {
    this.emit("poll", null);
    this.#schedulePoll();
  }

  #schedulePoll() {
    clearTimeout(this.#pollTimer);
    const delay = document.hidden ? HIDDEN_POLL_MS : VISIBLE_POLL_MS;
    this.#pollTimer = setTimeout(() => this.#poll(), delay * (0.9 + Math.random() / 5));
  }
}
