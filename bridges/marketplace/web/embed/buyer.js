import { h, icon, iconButton, show } from "../client/dom.js";
import { avatar } from "./avatar.js";
import { connect } from "./connect.js";
import { badgeCount } from "./format.js";
import { later } from "./later.js";
import { linkedChat, onLink } from "./links.js";
import { MyChats } from "./mychats.js";
import { nameOf } from "./people.js";
import { makeShell } from "./shell.js";
import { Thread } from "./thread.js";
import { noteTitle, titleOf } from "./titles.js";

const PHONE = matchMedia("(max-width: 600px)");

/**
 * What a window is about.
 *
 * @typedef {object} Topic
 * @property {string} sellerId
 * @property {string} iphoneId
 */

/**
 * Start the buyer's window in a page; it is closed at first.
 *
 * @param {import("./options.js").Given} given
 * @returns {Promise<Buyer>}
 */
export async function startBuyer(given) {
  const parts = await connect(given);
  const { theme, lang } = parts.options;
  const shell = await makeShell({ name: "chat-buyer", theme, lang, style: "buyer.css" });
  document.body.append(shell.host);
  const buyer = new Buyer(parts, shell);
  void buyer.start();
  return buyer;
}

/** The chats that somebody has as a buyer: a button in the corner, and a window with one chat or the list of all. */
export class Buyer {
  #parts;
  #shell;
  #mine;
  /** @type {Topic | null} the chat in the window; null: the list */
  #topic = null;
  /** @type {Thread | null} */
  #thread = null;
  /** @type {Element | null} where the focus was before */
  #opener = null;
  #round = 0;

  /**
   * @param {Awaited<ReturnType<typeof connect>>} parts
   * @param {import("./shell.js").Shell} shell
   */
  constructor(parts, shell) {
    const { t } = parts.texts;
    this.#parts = parts;
    this.#shell = shell;
    this.#mine = new MyChats({ ...parts, onOpen: (topic) => void this.openChat(topic.sellerId, topic.iphoneId) });
    this.#mine.on("change", () => this.#drawLauncher());
    this.#count = h("span", { class: "badge launcher-badge", "aria-hidden": "true", hidden: true });
    this.#launcher = h("button", { type: "button", class: "launcher", hidden: true, on: { click: () => this.#show() } }, icon("chat", 26), this.#count);
    this.#back = iconButton("back", t("chat.back"), () => this.#showList(), { class: "window-back" });
    this.#face = h("span", { class: "window-face" });
    this.#title = h("h2", { class: "window-title", tabindex: -1, id: "window-title" });
    this.#subtitle = h("p", { class: "window-subtitle" });
    this.#tools = h("div", { class: "window-tools" });
    this.#bell = h("span", null);
    this.#keep = h("p", { class: "window-keep", hidden: true });
    this.#body = h("div", { class: "window-body" });
    const head = h("div", { class: "window-head" }, this.#back, this.#face, h("div", { class: "window-titles" }, this.#title, this.#subtitle), this.#bell, this.#tools, iconButton("close", t("action.close"), () => this.close()));
    this.#window = h("dialog", { class: "window", "aria-labelledby": "window-title", on: { close: () => this.#closed(), keydown: (/** @type {Event} */ event) => this.#key(/** @type {KeyboardEvent} */ (event)) } }, head, this.#keep, this.#body);
    shell.frame.append(this.#launcher, this.#window);
    parts.identity.on("change", () => void this.#changed());
    PHONE.addEventListener("change", () => this.#window.open && this.#place());
  }

  /** @type {HTMLElement} */ #count;
  /** @type {HTMLElement} */ #launcher;
  /** @type {HTMLElement} */ #back;
  /** @type {HTMLElement} */ #face;
  /** @type {HTMLElement} */ #title;
  /** @type {HTMLElement} */ #subtitle;
  /** @type {HTMLElement} */ #tools;
  /** @type {HTMLElement} */ #bell;
  /** @type {HTMLElement} */ #keep;
  /** @type {HTMLElement} */ #body;
  /** @type {HTMLDialogElement} */ #window;

  /** Look whether there are chats already; then a button shows it. */
  async start() {
    for (const event of ["focus", "storage", "pageshow"]) addEventListener(event, () => void this.#recognise());
    document.addEventListener("visibilitychange", () => void this.#mine.look());
    onLink((id) => void this.#openLinked(id));
    if (!(await this.#parts.identity.isKnown())) return;
    const id = linkedChat();
    if (id !== null) await this.#openLinked(id);
    await this.#mine.look();
  }

  /** A link leads to a chat of the reader's own; to any other it leads nowhere. @param {number} id */
  async #openLinked(id) {
    const { market, identity, texts } = this.#parts;
    try {
      const [chat, me] = await Promise.all([market.info(id), identity.me()]);
      if (chat.buyer_id === me.id) await this.openChat(chat.seller_id, chat.iphone_id);
    } catch (error) {
      texts.explain(error);
    }
  }

  /**
   * Open the window with the chat about a listing.
   *
   * @param {number | string} sellerId
   * @param {number | string} iphoneId
   * @param {{title?: string}} [about]
   */
  async openChat(sellerId, iphoneId, about = {}) {
    const topic = { sellerId: String(sellerId), iphoneId: String(iphoneId) };
    if (about.title) noteTitle(topic.iphoneId, about.title);
    const isSame = this.#topic?.sellerId === topic.sellerId && this.#topic.iphoneId === topic.iphoneId;
    this.#topic = topic;
    this.#show();
    if (!isSame || !this.#thread) await this.#load(topic);
    this.#focus();
  }

  close() {
    this.#window.close();
  }

  /** Somebody signed in or out on this page. */
  async refresh() {
    this.#parts.identity.refresh();
    await this.#recognise();
  }

  // --- the window ---

  #show() {
    if (!this.#window.open) this.#opener = document.activeElement;
    if (this.#topic === null) this.#showList();
    this.#place();
    this.#drawLauncher();
    this.#thread?.look();
    this.#focus();
  }

  /** Over the whole page on a phone, else in the corner beside it. */
  #place() {
    const isModal = this.#window.matches(":modal");
    if (this.#window.open && isModal === PHONE.matches) return;
    if (this.#window.open) {
      this.#isMoving = true;
      this.#window.close();
    }
    if (PHONE.matches) this.#window.showModal();
    else this.#window.show();
  }

  #isMoving = false;

  #closed() {
    if (this.#isMoving) {
      this.#isMoving = false;
      return;
    }
    this.#drawLauncher();
    const opener = this.#opener instanceof HTMLElement && this.#opener.isConnected ? this.#opener : null;
    const isOwn = opener === this.#shell.host || opener === document.body;
    (isOwn || !opener ? this.#launcher : opener).focus({ preventScroll: true });
  }

  /** A keyboard that slides in over the messages is for who asks for it. */
  #focus() {
    const isTouch = matchMedia("(hover: none) and (pointer: coarse)").matches;
    if (this.#thread && !isTouch) this.#thread.focus();
    else this.#title.focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.stopPropagation();
    this.close();
  }

  #showList() {
    const { t } = this.#parts.texts;
    this.#forget();
    this.#topic = null;
    this.#title.textContent = t("chat.mine");
    this.#subtitle.replaceChildren();
    this.#face.replaceChildren();
    this.#tools.replaceChildren();
    show(this.#back, false);
    show(this.#keep, false);
    this.#body.replaceChildren(this.#mine.element);
    void this.#mine.load();
    if (this.#window.open) this.#title.focus({ preventScroll: true });
  }

  /** @param {Topic} topic */
  async #load(topic) {
    const { market, texts } = this.#parts;
    this.#forget();
    const round = this.#round;
    this.#title.textContent = titleOf(topic.iphoneId, this.#parts);
    this.#subtitle.textContent = texts.t("chat.seller");
    this.#face.replaceChildren();
    this.#tools.replaceChildren();
    show(this.#back, this.#mine.count > 0);
    this.#body.replaceChildren(h("div", { class: "window-wait", role: "status" }, h("span", { class: "spinner", "aria-hidden": "true" }), texts.t("connection.connecting")));
    try {
      const chat = await market.find(topic.sellerId, topic.iphoneId);
      if (round === this.#round) this.#enter(chat);
    } catch (error) {
      if (round !== this.#round) return;
      const retry = h("button", { type: "button", class: "button", on: { click: () => void this.#load(topic) } }, texts.t("action.retry"));
      this.#body.replaceChildren(h("div", { class: "window-wait", role: "alert" }, h("p", null, texts.explain(error)), retry));
    }
  }

  /** @param {import("./market.js").Chat} chat */
  #enter(chat) {
    const { market, texts } = this.#parts;
    const name = nameOf(chat, String(chat.seller_id), texts);
    this.#body.replaceChildren();
    const thread = new Thread({ market, chat, texts, container: this.#body, empty: texts.t("chat.empty") });
    this.#thread = thread;
    this.#face.replaceChildren(avatar(name, String(chat.seller_id)));
    this.#subtitle.replaceChildren(h("bdi", null, name), " · ", thread.status);
    this.#tools.replaceChildren(thread.menu);
    thread.on("presence", (isOnline) => this.#face.classList.toggle("is-online", isOnline));
    thread.on("unread", () => this.#drawLauncher());
    thread.on("message", () => void this.#drawKeep());
    this.#mine.without(chat.id);
    void this.#drawKeep();
    void this.#offerNotifications(chat.buyer_id);
    show(this.#back, this.#mine.count > 0);
    this.#drawLauncher();
  }

  /** Let go of the chat in the window. */
  #forget() {
    this.#round += 1;
    this.#thread?.destroy();
    this.#thread = null;
    this.#face.classList.remove("is-online");
    this.#mine.without(null);
  }

  /** A guest's chats are lost with the browser's store, so tell how they are kept. */
  async #drawKeep() {
    const { options, identity, texts } = this.#parts;
    const { isRegistered } = await identity.me();
    const { login } = options;
    show(this.#keep, !isRegistered && login !== null && this.#thread !== null);
    if (!this.#keep.hidden && login) this.#keep.replaceChildren(h("a", { href: login }, texts.t("guest.keep")));
  }

  /** Where there can be any, and who has a chat to hear of. @param {string} userId */
  async #offerNotifications(userId) {
    const { options, market, texts } = this.#parts;
    if (!options.worker || this.#bell.dataset.userId === userId) return;
    this.#bell.dataset.userId = userId;
    const onError = (/** @type {string} */ text) => this.#thread?.say(text);
    try {
      const { Notifications } = await later(import("./notifications.js"));
      this.#bell.replaceChildren(new Notifications({ market, worker: options.worker, userId, texts, onError }).element);
    } catch (error) {
      texts.explain(error);
      delete this.#bell.dataset.userId; // It is tried again with the next chat.
    }
  }

  #drawLauncher() {
    const { texts, options } = this.#parts;
    const unread = this.#mine.unread + (this.#thread?.unread ?? 0);
    const label = unread > 0 ? `${texts.t("chat.open")}, ${texts.t("badge.unread", { count: unread })}` : texts.t("chat.open");
    const hasChats = this.#topic !== null || this.#mine.count > 0;
    show(this.#launcher, options.launcher && hasChats && !this.#window.open);
    show(this.#count, unread > 0);
    this.#count.textContent = badgeCount(unread);
    this.#launcher.setAttribute("aria-label", label);
  }

  // --- who it is ---

  /** See whether somebody signed in or out, here or in another tab. */
  async #recognise() {
    const { identity } = this.#parts;
    try {
      if (await identity.isKnown()) await identity.me();
    } catch (error) {
      this.#parts.texts.explain(error); // The next call that fails tells the reader.
    }
  }

  /** Somebody else reads now: what the last one saw goes away, and the same chat is opened as theirs. */
  async #changed() {
    const topic = this.#topic;
    this.#mine.clear();
    if (topic && this.#window.open) await this.#load(topic);
    else if (topic) {
      this.#forget();
      this.#topic = null;
    } else if (this.#window.open) this.#showList();
    await this.#mine.look(true);
  }
}
