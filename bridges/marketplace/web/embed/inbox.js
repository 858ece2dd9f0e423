import { Announcer } from "../client/announcer.js";
import { ConnectionBar } from "../client/connection.js";
import { h, icon, iconButton, show } from "../client/dom.js";
import { SessionOver } from "../client/errors.js";
import { ChatList } from "./chatlist.js";
import { connect } from "./connect.js";
import { InboxList } from "./inboxlist.js";
import inboxTexts from "./inboxtexts.js";
import { badge, buyerName, face } from "./inboxrow.js";
import { later } from "./later.js";
import { linkedChat, onLink } from "./links.js";
import { Notifications } from "./notifications.js";
import { dropSubscription } from "./push.js";
import { makeShell } from "./shell.js";
import { showInTitle } from "./titlecount.js";
import { titleOf } from "./titles.js";

const NARROW_PX = 700;
const NOTICE_MS = 6000;

/**
 * What the parts of the inbox share.
 *
 * @typedef {object} Context
 * @property {import("./market.js").Market} market
 * @property {import("./texts.js").Texts} texts
 * @property {ChatList} chats
 * @property {Set<number>} online chats whose buyer is known to be there
 * @property {(listing: string) => string} listingTitle
 */

/**
 * Start the inbox in a page.
 *
 * @param {import("./options.js").Given} given
 * @param {HTMLElement | null} place where it goes
 * @returns {Promise<Inbox>}
 */
export async function startInbox(given, place) {
  const parts = await connect(given, inboxTexts);
  const { theme, lang } = parts.options;
  const shell = await makeShell({ name: "chat-inbox", theme, lang, style: "inbox.css" });
  (place ?? document.body).append(shell.host);
  const inbox = new Inbox(parts, shell);
  await inbox.start();
  return inbox;
}

/** A seller's inbox: the chats by listing, and the one that is open beside them, or on a phone over them. */
export class Inbox {
  #parts;
  #shell;
  #texts;
  /** @type {Context | null} */
  #context = null;
  /** @type {InboxList | null} */
  #list = null;
  /** @type {import("./thread.js").Thread | null} */
  #thread = null;
  #openId = 0;
  #opening = 0;
  #noticeTimer = 0;
  #isNarrow = false;
  #round = 0;
  #resizes = new ResizeObserver(() => this.#fit());
  #ending = new AbortController();

  /**
   * @param {Awaited<ReturnType<typeof connect>>} parts
   * @param {import("./shell.js").Shell} shell
   */
  constructor(parts, shell) {
    this.#parts = parts;
    this.#shell = shell;
    const { t } = (this.#texts = parts.texts);
    this.#count = h("span", { class: "inbox-count" });
    this.#tools = h("div", { class: "inbox-tools" });
    this.#notice = h("p", { class: "inbox-notice", role: "status", hidden: true });
    this.#side = h("div", { class: "inbox-side" });
    this.#empty = h("div", { class: "inbox-empty" }, icon("chat", 40), h("p", null, t("inbox.choose")));
    this.#pane = h("dialog", { class: "inbox-pane", on: { cancel: (/** @type {Event} */ event) => this.#cancel(event), keydown: (/** @type {Event} */ event) => this.#paneKey(/** @type {KeyboardEvent} */ (event)) } });
    this.#main = h("div", { class: "inbox-main" }, this.#empty, this.#pane);
    const connection = { connecting: t("connection.connecting"), lost: t("connection.lost"), retry: t("connection.retry") };
    this.#connection = new ConnectionBar(connection, () => void this.#context?.chats.retry());
    const head = h("header", { class: "inbox-head" }, h("h2", { class: "inbox-title" }, t("inbox.title"), " ", this.#count), this.#tools);
    this.element = h("section", { class: "inbox", "aria-label": t("inbox.title") }, h("div", { class: "inbox-left" }, head, this.#connection.element, this.#notice, this.#side), this.#main);
    this.#announcer = new Announcer(this.element);
    shell.frame.append(this.element);
    parts.identity.on("change", () => void this.#restart());
  }

  /** @type {HTMLElement} */ #count;
  /** @type {HTMLElement} */ #tools;
  /** @type {HTMLElement} */ #notice;
  /** @type {HTMLElement} */ #side;
  /** @type {HTMLElement} */ #empty;
  /** @type {HTMLElement} */ #main;
  /** @type {ConnectionBar} */ #connection;
  /** @type {Announcer} */ #announcer;
  /** @type {HTMLDialogElement} */ #pane;

  async start() {
    const { signal } = this.#ending;
    onLink((id) => void this.openChat(id), signal);
    for (const event of ["focus", "storage", "pageshow"]) addEventListener(event, () => void this.#recognise(), { signal });
    this.#resizes.observe(this.element);
    await this.#begin();
  }

  /** Somebody signed in or out on this page. */
  async refresh() {
    this.#parts.identity.refresh();
    await this.#restart();
  }

  destroy() {
    this.#ending.abort();
    this.#resizes.disconnect();
    this.#end();
    this.#connection.stop();
    clearTimeout(this.#noticeTimer);
    this.#shell.host.remove();
  }

  /**
   * @param {number} id
   * @returns {Promise<boolean>} whether there is such a chat
   */
  async openChat(id) {
    const context = this.#context;
    if (!context) return false;
    const round = (this.#opening += 1);
    let found;
    try {
      found = await Promise.all([context.chats.get(id) ?? context.chats.fetch(id), loadThread()]);
    } catch (error) {
      this.#say(this.#texts.explain(error));
      return false;
    }
    const [chat, Thread] = found;
    if (!chat || round !== this.#opening) return false;
    if (this.#openId !== id) this.#openThread(context, chat, Thread);
    // A keyboard that slides in over the messages is for who asks for it.
    if (!matchMedia("(hover: none) and (pointer: coarse)").matches) this.#thread?.focus();
    return true;
  }

  /** See whether somebody signed in or out, here or in another tab; `change` tells. */
  async #recognise() {
    try {
      await this.#parts.identity.known();
    } catch (error) {
      if (error instanceof SessionOver && this.#context) await this.#restart();
      else this.#texts.explain(error); // The next call that fails tells the reader.
    }
  }

  async #restart() {
    this.#end();
    await this.#begin();
  }

  async #begin() {
    const round = (this.#round += 1);
    this.#say("");
    try {
      const me = await this.#parts.identity.known();
      if (round !== this.#round) return;
      if (me?.isRegistered) await this.#open(me.id);
      else this.#askToSignIn();
    } catch (error) {
      if (round !== this.#round) return;
      if (error instanceof SessionOver) return this.#askToSignIn();
      const { t } = this.#texts;
      const retry = h("button", { type: "button", class: "button", on: { click: () => void this.#begin() } }, t("action.retry"));
      this.#side.replaceChildren(h("div", { class: "inbox-state" }, h("p", { class: "state-title" }, t("inbox.error")), h("p", null, this.#texts.explain(error)), retry));
    }
  }

  /** @param {string} sellerId */
  async #open(sellerId) {
    const { market, options } = this.#parts;
    const chats = new ChatList(market, sellerId);
    const context = { market, texts: this.#texts, chats, online: new Set(), listingTitle: (/** @type {string} */ listing) => titleOf(listing, this.#parts) };
    this.#context = context;
    this.#list = new InboxList(context, { onOpen: (id) => void this.openChat(id), onHide: (id) => void this.#hide(id) });
    this.element.classList.remove("is-closed");
    this.#side.replaceChildren(this.#list.element);
    chats.on("change", () => this.#drawHead());
    chats.on("gone", (id) => id === this.#openId && this.#closeThread());
    chats.on("message", (message) => this.#announce(message));
    const notifications = new Notifications({ market, worker: options.worker, userId: sellerId, texts: this.#texts, onError: (text) => this.#say(text) });
    this.#tools.replaceChildren(notifications.element);
    await chats.open();
    const linked = linkedChat();
    if (linked !== null) await this.openChat(linked);
  }

  #end() {
    this.#round += 1;
    this.#opening += 1;
    this.#closeThread();
    this.#list?.destroy();
    this.#list = null;
    this.#context?.chats.close();
    this.#context = null;
    this.#tools.replaceChildren();
    this.#side.replaceChildren();
    this.#drawHead();
  }

  #askToSignIn() {
    const { t } = this.#texts;
    const { login } = this.#parts.options;
    void dropSubscription();
    this.element.classList.add("is-closed");
    this.#side.replaceChildren(
      h("div", { class: "inbox-state" }, h("p", { class: "state-title" }, t("inbox.signed_out")), h("p", null, t("inbox.signed_out_text")), login && h("a", { class: "button button-primary", href: login }, t("inbox.sign_in"))),
    );
  }

  /** @param {Context} context @param {import("./market.js").Chat} chat @param {typeof import("./thread.js").Thread} Thread */
  #openThread(context, chat, Thread) {
    this.#closeThread();
    const { market, texts, chats, online } = context;
    const container = h("div", { class: "pane-thread" });
    const title = buyerName(chat, texts);
    const thread = new Thread({ market, chat, texts, container });
    const head = h(
      "header",
      { class: "pane-head" },
      iconButton("back", texts.t("inbox.back"), () => this.#closeThread(), { class: "pane-back" }),
      face(chat, title),
      h("div", { class: "pane-title" }, h("h3", null, h("bdi", null, title)), h("p", null, h("bdi", null, context.listingTitle(String(chat.iphone_id))), thread.status)),
      thread.menu,
    );
    this.#pane.replaceChildren(head, container);
    this.#pane.setAttribute("aria-label", title);
    thread.on("message", (message) => chats.shown(message));
    thread.on("presence", (isOnline) => {
      if (isOnline) online.add(chat.id);
      else online.delete(chat.id);
      this.#list?.select(this.#openId);
    });
    this.#thread = thread;
    this.#openId = chat.id;
    show(this.#empty, false);
    this.#showPane();
    thread.look();
    this.#list?.select(chat.id);
  }

  #closeThread() {
    if (!this.#thread) return;
    const id = this.#openId;
    const hadFocus = this.#pane.contains(this.#shell.root.activeElement);
    this.#thread.destroy();
    this.#thread = null;
    this.#openId = 0;
    this.#context?.online.delete(id);
    this.#pane.close();
    this.#pane.replaceChildren();
    show(this.#empty, true);
    this.#list?.select(null);
    if (hadFocus) this.#list?.focus(id);
    if (linkedChat() === id) history.replaceState(history.state, "", location.pathname + location.search);
  }

  /** Beside the list where there is room, else over the whole page. */
  #showPane() {
    if (this.#pane.open) this.#pane.close();
    if (this.#isNarrow) this.#pane.showModal();
    else this.#pane.show();
  }

  #fit() {
    const isNarrow = this.element.clientWidth < NARROW_PX;
    if (isNarrow === this.#isNarrow) return;
    this.#isNarrow = isNarrow;
    this.element.classList.toggle("is-narrow", isNarrow);
    if (this.#thread) this.#showPane();
  }

  /** @param {Event} event */
  #cancel(event) {
    event.preventDefault();
    this.#closeThread();
  }

  /** @param {KeyboardEvent} event */
  #paneKey(event) {
    if (event.key !== "Escape" || event.defaultPrevented || this.#isNarrow) return;
    this.#list?.focus(this.#openId);
  }

  /** @param {number} id */
  async #hide(id) {
    const context = this.#context;
    const chat = context?.chats.get(id);
    if (!context || !chat) return;
    try {
      await context.chats.hide(id);
      this.#announcer.say(this.#texts.t("inbox.hidden", { name: buyerName(chat, this.#texts) }));
      this.#list?.focus(this.#openId || null);
    } catch (error) {
      this.#say(this.#texts.explain(error));
    }
  }

  #drawHead() {
    const chats = this.#context?.chats;
    const unread = chats?.unread ?? 0;
    if (this.#count.dataset.unread !== String(unread)) {
      this.#count.dataset.unread = String(unread);
      this.#count.replaceChildren(...(unread > 0 ? [badge(unread, this.#texts)] : []));
      showInTitle(unread);
    }
    this.#connection.set(chats?.state ?? "closed");
  }

  /** @param {import("./market.js").Message} message */
  #announce(message) {
    const chat = this.#context?.chats.get(message.chat_id);
    if (!chat || chat.id === this.#openId) return;
    this.#announcer.say(this.#texts.t("inbox.new_message", { name: buyerName(chat, this.#texts) }));
  }

  /** A line that goes by itself. @param {string} text empty: at once */
  #say(text) {
    clearTimeout(this.#noticeTimer);
    this.#notice.textContent = text;
    show(this.#notice, text !== "");
    if (text) this.#noticeTimer = setTimeout(() => show(this.#notice, false), NOTICE_MS);
  }
}

/** The part that shows one chat, which nobody needs before they open one. @returns {Promise<typeof import("./thread.js").Thread>} */
async function loadThread() {
  return (await later(import("./thread.js"))).Thread;
}
