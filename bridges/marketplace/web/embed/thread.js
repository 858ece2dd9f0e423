import { Announcer } from "../client/announcer.js";
import { ConnectionBar } from "../client/connection.js";
import { h, icon, iconButton, show } from "../client/dom.js";
import { dropzone } from "../client/dropzone.js";
import { Emitter } from "../client/emitter.js";
import { ReadMarks } from "../client/readmarks.js";
import { ScrollKeeper } from "../client/scroll.js";
import { OthersTyping, OwnTyping } from "../client/typing.js";
import { Composer } from "./composer.js";
import { History } from "./history.js";
import { later } from "./later.js";
import { Log } from "./log.js";
import { menuButton } from "./menu.js";
import { MessageList } from "./messagelist.js";
import { Outbox } from "./outbox.js";
import { nameOf } from "./people.js";

const NEAR_TOP_PX = 240;
const NOTICE_MS = 6000;

/**
 * @typedef {import("./market.js").Chat} Chat
 * @typedef {import("./market.js").Frame} Frame
 * @typedef {import("./market.js").Message} Message
 */

/**
 * One chat: what was said, who is there, and where one writes. Its owner may put `status` (who is there, who types) and
 * `menu` (support, block) into a head of its own.
 *
 * Emits `message` for each new one, `read` when all that is here was read, `unread` when the number of unread ones has
 * changed, `presence` when the other side comes or goes.
 *
 * @extends {Emitter<{message: Message, read: number, unread: number, presence: boolean}>}
 */
export class Thread extends Emitter {
  unread = 0;
  #market;
  #chat;
  #texts;
  #ownId = "";
  #line;
  #ready;
  #isOver = false;
  #isOnline = false;
  #isInvited = false;
  #isBlocked = false;
  #noticeTimer = 0;
  /** @type {Set<string>} */
  #online = new Set();
  #ending = new AbortController();

  /**
   * @param {object} needs
   * @param {import("./market.js").Market} needs.market
   * @param {Chat} needs.chat
   * @param {import("./texts.js").Texts} needs.texts
   * @param {HTMLElement} needs.container
   * @param {string} [needs.empty] what stands there while nothing was said
   */
  constructor({ market, chat, texts, container, empty }) {
    super();
    const { t } = texts;
    this.#market = market;
    this.#chat = chat;
    this.#texts = texts;
    this.#line = market.chatLine(chat.id);
    this.#connection = new ConnectionBar(
      { connecting: t("connection.connecting"), lost: t("connection.lost"), retry: t("connection.retry") },
      () => this.#line.retry(),
    );
    this.#ownTyping = new OwnTyping((isTyping) => this.#line.sendFrame({ type: "typing", is_typing: isTyping }));
    this.#othersTyping = new OthersTyping(() => this.#drawStatus());
    this.#marks = new ReadMarks(() => this.#sendRead(), () => this.#setUnread(0));
    this.composer = new Composer(
      {
        onSend: (text, files) => void this.#send(text, files),
        onTyping: () => this.#ownTyping.typed(),
        onStopTyping: () => this.#ownTyping.stopped(),
        onRefused: (text) => this.say(text),
      },
      texts,
    );
    this.status = h("span", { class: "presence" });
    this.menu = menuButton(t("menu.open"), () => this.#items());
    this.#older = h("button", { type: "button", class: "link older", hidden: true, on: { click: () => void this.#loadOlder() } }, t("chat.older"));
    this.#empty = h("p", { class: "thread-empty", hidden: true }, empty ?? t("chat.empty_seller"));
    this.#wait = h("div", { class: "thread-wait" }, h("span", { class: "spinner", "aria-hidden": "true" }), h("span", { class: "visually-hidden" }, t("connection.connecting")));
    this.#notice = h("div", { class: "notice", role: "status", hidden: true });
    this.#jump = iconButton("arrowDown", t("scroll.down"), () => this.#scroll?.toBottom(true), { class: "jump", hidden: true });
    this.#content = h("div", { class: "thread-content" });
    this.#scroller = h("div", { class: "thread-log", role: "log", "aria-live": "off", "aria-label": t("chat.log"), tabindex: 0 }, this.#older, this.#wait, this.#empty, this.#content);
    this.element = h("section", { class: "thread" }, this.#connection.element, h("div", { class: "thread-middle" }, this.#scroller, this.#jump), this.#notice, this.composer.element);
    this.#announcer = new Announcer(this.element);
    dropzone(this.element, t("composer.attach"), (files) => this.composer.addFiles(files));
    container.append(this.element);
    this.#drawStatus();
    this.#ready = this.#start();
  }

  /** @type {ConnectionBar} */ #connection;
  /** @type {OwnTyping} */ #ownTyping;
  /** @type {OthersTyping} */ #othersTyping;
  /** @type {ReadMarks} */ #marks;
  /** @type {HTMLElement} */ #older;
  /** @type {HTMLElement} */ #empty;
  /** @type {HTMLElement} */ #wait;
  /** @type {HTMLElement} */ #notice;
  /** @type {HTMLElement} */ #jump;
  /** @type {HTMLElement} */ #content;
  /** @type {HTMLElement} */ #scroller;
  /** @type {Announcer} */ #announcer;
  /** @type {Log | null} */ #log = null;
  /** @type {History | null} */ #history = null;
  /** @type {Outbox | null} */ #outbox = null;
  /** @type {MessageList | null} */ #list = null;
  /** @type {ScrollKeeper | null} */ #scroll = null;

  /** Whether the other side is there. */
  get isOnline() {
    return this.#isOnline;
  }

  focus() {
    this.composer.focus();
  }

  /** It may be on the screen now: what can be seen is read. */
  look() {
    const isShown = this.element.getClientRects().length > 0;
    const last = this.#log?.messages.findLast((one) => one.sender_id !== this.#ownId);
    if (isShown && last && this.#scroll?.isStuck) this.#marks.seen(String(last.id));
  }

  destroy() {
    this.#isOver = true;
    this.#ending.abort();
    clearTimeout(this.#noticeTimer);
    this.#ownTyping.stopped();
    this.#marks.stop();
    this.#connection.stop();
    this.#scroll?.stop();
    this.#outbox?.close();
    this.composer.close();
    this.#line.close();
    this.element.remove();
  }

  async #start() {
    try {
      this.#ownId = (await this.#market.identity.me()).id;
    } catch (error) {
      this.say(this.#texts.explain(error));
      return;
    }
    if (this.#isOver) return;
    const log = new Log(this.#ownId);
    const chatId = this.#chat.id;
    this.#log = log;
    this.#history = new History(this.#market, chatId, log);
    this.#outbox = new Outbox({ market: this.#market, chatId, ownId: this.#ownId, log, texts: this.#texts });
    this.#list = new MessageList({ log, chat: () => this.#chat, ownId: this.#ownId, scene: this.#scene(this.#outbox) });
    this.#content.append(this.#list.element);
    this.#scroll = new ScrollKeeper(this.#scroller, this.#list.element, () => this.#scrolled());
    log.on("change", () => this.#draw());
    log.on("arrived", (message) => this.#arrived(message));
    this.#line.on("frame", (frame) => this.#hear(frame));
    this.#line.on("state", (state) => this.#stateChanged(state));
    document.addEventListener("visibilitychange", () => this.look(), { signal: this.#ending.signal });
    addEventListener("focus", () => this.look(), { signal: this.#ending.signal });
    this.#outbox.resume();
    this.#line.open();
  }

  /** @param {Outbox} outbox @returns {import("./messageview.js").Scene} */
  #scene(outbox) {
    return {
      market: this.#market,
      texts: this.#texts,
      onPicture: (picture) => void this.#act((actions, place) => actions.enlarge(place, picture)),
      onReport: (message) => void this.#report(message),
      onRetry: (clientId) => outbox.retry(clientId),
      onDiscard: (clientId) => outbox.discard(clientId),
    };
  }

  /** @param {string} text @param {File[]} files */
  async #send(text, files) {
    await this.#ready;
    if (this.#list) this.#list.unreadFrom = null;
    this.#outbox?.send(text, files);
    this.#scroll?.toBottom();
  }

  async #sendRead() {
    if (this.#line.sendFrame({ type: "read" })) return;
    try {
      await this.#market.read(this.#chat.id);
    } catch (error) {
      this.#texts.explain(error);
      this.#marks.forget(); // It is said again with the next look.
    }
  }

  // --- what comes over the socket ---

  /** @param {import("../client/socket.js").SocketState} state */
  #stateChanged(state) {
    this.#connection.set(state);
    if (state !== "open") this.#online.clear();
    this.#drawStatus();
    if (state === "open") {
      this.#marks.forget();
      void this.#refresh();
      this.#outbox?.retryAll();
    } else if (state !== "connecting" && !this.#log?.isLoaded) void this.#refresh();
  }

  /** Load what is new, or everything. */
  async #refresh() {
    const isFirst = !this.#log?.isLoaded;
    try {
      await this.#history?.refresh();
    } catch (error) {
      return this.say(this.#texts.explain(error));
    }
    if (this.#isOver || !this.#log) return;
    if (isFirst) this.#loaded(this.#log);
    this.look();
  }

  /** The first page is there. @param {Log} log */
  #loaded(log) {
    const foreign = log.messages.filter((one) => one.sender_id !== this.#ownId);
    const count = Math.min(this.#chat.unread_count, foreign.length);
    if (this.#list && count > 0) this.#list.unreadFrom = foreign[foreign.length - count].id;
    show(this.#wait, false);
    this.#setUnread(count);
    this.#draw();
    this.#scroll?.toBottom();
  }

  /** @param {Frame} frame */
  #hear(frame) {
    const { type, message, user_id: person = "" } = frame;
    if (type === "message" && message) {
      this.#othersTyping.note("", message.sender_id, false);
      this.#log?.add(message);
    } else if (type === "message_edited" && message) this.#history?.edited(message);
    else if (type === "message_deleted" && frame.id) this.#log?.remove(frame.id);
    else if (type === "messages_read" && person !== this.#ownId) this.#log?.othersRead();
    else if (type === "typing" && person !== this.#ownId) this.#othersTyping.note("", person, Boolean(frame.is_typing));
    else if (type === "online_users") this.#online = new Set(frame.users);
    else if (type === "user_connected") this.#online.add(person);
    else if (type === "user_disconnected") this.#online.delete(person);
    else if (type === "support_invited") this.#isInvited = true;
    else if (type === "error" && frame.detail && !frame.retry_ms) this.say(frame.detail);
    this.#drawStatus();
  }

  /** @param {Message} message */
  #arrived(message) {
    this.emit("message", message);
    if (message.message_type === "system") void this.#renew();
    if (message.sender_id === this.#ownId) return;
    this.#setUnread(this.unread + 1);
    this.#announcer.say(this.#texts.t("message.new", { text: message.message_text || message.file_name || "" }));
    this.look();
  }

  /** Support came or went. */
  async #renew() {
    try {
      this.#chat = await this.#market.info(this.#chat.id);
    } catch (error) {
      this.say(this.#texts.explain(error));
    }
    this.#draw();
  }

  // --- what is on the screen ---

  #draw() {
    const { t } = this.#texts;
    this.#scroll?.keep(() => this.#list?.draw());
    const log = this.#log;
    show(this.#empty, Boolean(log?.isLoaded && log.messages.length === 0 && log.pending.length === 0));
    show(this.#older, Boolean(log?.hasOlder));
    this.#jump.setAttribute("aria-label", this.unread > 0 ? t("badge.unread", { count: this.unread }) : t("scroll.down"));
  }

  #drawStatus() {
    const { t } = this.#texts;
    const typing = this.#othersTyping.in("");
    const other = this.#ownId === this.#chat.buyer_id ? String(this.#chat.seller_id) : this.#chat.buyer_id;
    const isOnline = this.#online.has(other);
    if (isOnline !== this.#isOnline) {
      this.#isOnline = isOnline;
      this.emit("presence", isOnline);
    }
    const text = typing.length > 0 ? t("presence.typing") : t(isOnline ? "presence.online" : "presence.offline");
    const who = typing.length > 0 && typing[0] !== other ? `${nameOf(this.#chat, typing[0], this.#texts)} ` : "";
    if (this.status.textContent !== who + text) this.status.textContent = who + text;
    this.status.classList.toggle("is-online", isOnline);
    this.status.classList.toggle("is-typing", typing.length > 0);
  }

  /** @param {number} count */
  #setUnread(count) {
    if (count === this.unread) return;
    this.unread = count;
    if (count === 0) this.emit("read", this.#chat.id);
    this.emit("unread", count);
  }

  #scrolled() {
    show(this.#jump, (this.#scroll?.distance ?? 0) > NEAR_TOP_PX);
    if (this.#scroller.scrollTop < NEAR_TOP_PX && this.#log?.hasOlder) void this.#loadOlder();
    this.look();
  }

  async #loadOlder() {
    try {
      await this.#history?.older();
    } catch (error) {
      this.say(this.#texts.explain(error));
    }
  }

  /** A line that goes by itself. @param {string} text @param {HTMLElement | null} [button] with it, it stays */
  say(text, button = null) {
    clearTimeout(this.#noticeTimer);
    this.#notice.replaceChildren(icon("info", 18), h("span", null, text), ...(button ? [button] : []));
    show(this.#notice, true);
    if (!button) this.#noticeTimer = setTimeout(() => show(this.#notice, false), NOTICE_MS);
  }

  // --- what one can do besides writing ---

  /** @returns {import("./menu.js").Item[]} */
  #items() {
    const { t } = this.#texts;
    const items = /** @type {import("./menu.js").Item[]} */ ([]);
    const hasSupport = this.#isInvited || this.#chat.support_joined;
    if (!hasSupport) items.push({ icon: "headset", label: t("menu.support"), action: () => void this.#invite() });
    if (this.#isBlocked) items.push({ icon: "block", label: t("block.undo"), action: () => void this.#unblock() });
    else items.push({ icon: "block", label: t("menu.block"), action: () => void this.#block() });
    return items;
  }

  /**
   * Do what is rarely done, with a part that is loaded for it.
   *
   * @param {(actions: typeof import("./actions.js"), place: import("./actions.js").Place) => Promise<void> | void} action
   */
  async #act(action) {
    const place = { market: this.#market, chatId: this.#chat.id, texts: this.#texts, element: this.element };
    try {
      await action(await later(import("./actions.js")), place);
    } catch (error) {
      this.say(this.#texts.explain(error));
    }
  }

  #invite() {
    return this.#act(async (_, { market, chatId }) => {
      await market.inviteSupport(chatId);
      this.#isInvited = true;
    });
  }

  #block() {
    return this.#act(async (actions, place) => {
      if (await actions.block(place)) this.#setBlocked(true);
    });
  }

  #unblock() {
    return this.#act(async (_, { market, chatId }) => {
      await market.unblock(chatId);
      this.#setBlocked(false);
    });
  }

  /** @param {boolean} isBlocked */
  #setBlocked(isBlocked) {
    const { t } = this.#texts;
    this.#isBlocked = isBlocked;
    show(this.composer.element, !isBlocked);
    show(this.#notice, false);
    if (isBlocked) this.say(t("block.done"), h("button", { type: "button", class: "link", on: { click: () => void this.#unblock() } }, t("block.undo")));
  }

  /** @param {Message} message */
  #report(message) {
    return this.#act(async (actions, place) => {
      if (await actions.report(place, message.id)) this.say(this.#texts.t("report.done"));
    });
  }
}
