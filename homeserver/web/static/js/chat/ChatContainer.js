import { Announcer } from "../client/announcer.js";
import { h } from "../client/dom.js";
import { ApiError } from "../client/errors.js";
import { OthersTyping } from "../client/typing.js";
import { config } from "../config.js";
import { t } from "../i18n.js";
import { TitleBadge } from "../ui/titlebadge.js";
import { Toasts } from "../ui/toast.js";
import { ChatMessages } from "./ChatMessages.js";
import { ChatSelect } from "./ChatSelect.js";
import { Conversations } from "./conversations.js";
import { openCreateDialog } from "./createdialog.js";
import { explain } from "./explain.js";
import { titleOf } from "./header.js";
import { lastSenders } from "./lastsenders.js";
import { Live } from "./live.js";
import { profileMenu } from "./menu.js";
import { ParticipantsPanel } from "./panel.js";
import { People } from "./people.js";
import { Presence } from "./presence.js";
import { emptyState } from "./states.js";
import { Timeline } from "./timeline.js";

const MOST_TIMELINES = 12;

/**
 * @typedef {import("../chatapi.js").Conversation} Conversation
 * @typedef {import("./context.js").ChatContext} ChatContext
 */

/** The whole chat: the list at the left, a conversation in the middle, its details at the right. */
export class ChatContainer {
  #root;
  #onLogout;
  #nameSenders;
  /** @type {ChatContext} */
  #context;
  #badge = new TitleBadge();
  /** @type {Map<string, Timeline>} the conversations that were open lately */
  #timelines = new Map();
  /** @type {ChatMessages | null} */
  #messages = null;
  /** @type {ParticipantsPanel | null} */
  #panel = null;
  #isPanelWanted = false;
  /** @type {string | null} */
  #openId = null;
  #me = { name: "", email: "" };

  /**
   * @param {HTMLElement} root
   * @param {object} needs
   * @param {import("../api.js").Api} needs.api
   * @param {import("../chatapi.js").ChatApi} needs.chatApi
   * @param {import("../session.js").Session} needs.session
   * @param {number} needs.ownId
   * @param {() => Promise<void>} needs.onLogout
   */
  constructor(root, { api, chatApi, session, ownId, onLogout }) {
    this.#root = root;
    this.#onLogout = onLogout;
    const people = new People(ownId);
    this.#context = {
      api,
      chatApi,
      session,
      people,
      conversations: new Conversations(chatApi, ownId),
      live: new Live(api, (id) => chatApi.socketPath(id)),
      typing: new OthersTyping(() => this.#activityChanged()),
      online: new Presence(),
      toasts: new Toasts(document.body),
      announcer: new Announcer(document.body),
      drafts: new Map(),
      isAdmin: (conversation) => conversation?.participants?.some((one) => one.user_id === ownId && one.role === "admin") ?? false,
    };
    this.#menu = profileMenu({
      languages: JSON.parse(root.dataset.languages ?? "{}"),
      me: () => this.#me,
      onLogout: () => void this.#logout(),
    });
    this.#select = new ChatSelect(this.#context, {
      onSelect: (id) => this.#go(id),
      onCreate: () => openCreateDialog(this.#context, (conversation) => this.#created(conversation)),
      menuButton: this.#menu.element,
    });
    this.#nameSenders = lastSenders(this.#context);
    this.#main = h("div", { class: "main" });
    root.replaceChildren(h("h1", { class: "visually-hidden" }, t("app.title")), this.#select.element, this.#main);
    this.#showNothing();
    this.#listen();
    void this.#start();
  }

  /** @type {ReturnType<typeof profileMenu>} */ #menu;
  /** @type {ChatSelect} */ #select;
  /** @type {HTMLElement} */ #main;

  /** Take everything off the screen, at once. */
  close() {
    this.#context.live.close();
    this.#root.replaceChildren();
    this.#badge.setCount(0);
  }

  #listen() {
    const { conversations, live } = this.#context;
    addEventListener("hashchange", () => void this.#route());
    conversations.on("change", () => this.#conversationsChanged());
    conversations.on("gone", (id) => this.#gone(id));
    live.on("frame", ({ conversationId, frame }) => this.#onFrame(conversationId, frame));
    live.on("state", ({ conversationId, state }) => this.#onState(conversationId, state));
    live.on("poll", () => void this.#poll());
    addEventListener("pagehide", () => live.setRecent([]));
  }

  async #start() {
    const { conversations } = this.#context;
    void this.#loadMe();
    void this.#route();
    try {
      await conversations.refresh();
      await this.#nameSenders();
    } catch (error) {
      this.#select.setError(explain(error));
    }
  }

  async #loadMe() {
    if (!config.messengerPrefix) return;
    try {
      const user = await this.#context.api.request("GET", `${config.messengerPrefix}/users/me`, { isOptional: true });
      this.#me = { name: user.display_name || user.tag || "", email: user.email ?? "" };
      this.#menu.draw();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // The menu does without a name then: people of a host application have no account here.
    }
  }

  async #poll() {
    try {
      await this.#context.conversations.refresh();
      this.#select.setError(null);
      await this.#nameSenders();
      this.#messages?.checkStale();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // The connection line tells that the server is away; the next look tries again.
    }
  }

  /** Open a conversation by its address, so that Back works. @param {string | null} id */
  #go(id) {
    if (id === this.#openId) return;
    if (!id && history.state?.isFromList) return history.back();
    if (id) history.pushState({ isFromList: this.#openId === null }, "", `#c=${id}`);
    else history.replaceState(null, "", location.pathname + location.search);
    void this.#route();
  }

  async #route() {
    const id = new URLSearchParams(location.hash.slice(1)).get("c");
    if (id === this.#openId) return;
    this.#closeMessages();
    this.#openId = id;
    this.#select.select(id);
    this.#root.dataset.view = id ? "conversation" : "list";
    this.#context.live.setActive(id);
    if (!id) {
      this.#showNothing();
      return;
    }
    try {
      const known = this.#context.conversations.get(id);
      const loading = this.#context.conversations.load(id);
      if (known) this.#open(known);
      const conversation = await loading;
      if (this.#openId !== id) return;
      this.#context.people.addParticipants(conversation.participants ?? []);
      if (!this.#messages) this.#open(conversation);
    } catch (error) {
      if (this.#openId !== id) return;
      const text = explain(error);
      // Of a conversation that was in the list, its removal tells.
      if (error instanceof ApiError && error.status === 404 && this.#context.conversations.get(id)) return this.#context.conversations.remove(id);
      this.#context.toasts.error(text);
      if (!this.#messages) this.#go(null);
    }
  }

  /** @param {Conversation} conversation */
  #open(conversation) {
    const { id } = conversation;
    const timeline = this.#timelines.get(id) ?? new Timeline();
    this.#timelines.delete(id);
    this.#timelines.set(id, timeline);
    const oldest = [...this.#timelines.keys()][0];
    if (this.#timelines.size > MOST_TIMELINES) this.#timelines.delete(oldest);
    this.#messages = new ChatMessages(this.#context, conversation, timeline, {
      onBack: () => this.#go(null),
      onInfo: () => this.#togglePanel(),
    });
    this.#main.replaceChildren(this.#messages.element);
    void this.#messages.start();
    this.#badge.setTitle(`${titleOf(conversation)} · ${t("app.title")}`);
    if (this.#isPanelWanted && matchMedia("(min-width: 1100px)").matches) this.#showPanel();
    if (matchMedia("(hover: hover)").matches) this.#messages.composer.focus();
  }

  #closeMessages() {
    this.#hidePanel();
    this.#messages?.close();
    this.#messages = null;
  }

  #showNothing() {
    this.#badge.setTitle(`${t("app.title")} · ${config.serverName}`);
    this.#root.dataset.view = "list";
    this.#main.replaceChildren(emptyState("chat", t("empty.selection"), t("empty.selection_text")));
  }

  #togglePanel() {
    this.#isPanelWanted = !this.#panel;
    if (this.#panel) {
      this.#hidePanel();
      this.#messages?.header.infoButton.focus();
    } else {
      this.#showPanel()?.focus();
    }
  }

  #showPanel() {
    if (!this.#openId) return null;
    const panel = new ParticipantsPanel(this.#context, this.#openId, () => this.#togglePanel());
    this.#panel = panel;
    this.#main.append(panel.element);
    this.#root.dataset.panel = "open";
    this.#messages?.header.infoButton.setAttribute("aria-expanded", "true");
    return panel;
  }

  #hidePanel() {
    this.#panel?.element.remove();
    this.#panel = null;
    delete this.#root.dataset.panel;
    this.#messages?.header.infoButton.setAttribute("aria-expanded", "false");
  }

  /** @param {Conversation} conversation */
  #created(conversation) {
    this.#context.conversations.put(conversation);
    this.#context.people.addParticipants(conversation.participants ?? []);
    this.#go(conversation.id);
  }

  /** @param {string} id */
  #gone(id) {
    this.#timelines.delete(id);
    this.#context.drafts.delete(id);
    if (id !== this.#openId) return;
    this.#context.toasts.info(t("conversation.gone"));
    this.#go(null);
  }

  #conversationsChanged() {
    const { conversations, live } = this.#context;
    live.setRecent(conversations.list.map((one) => one.id));
    this.#badge.setCount(conversations.unreadTotal);
    const open = this.#openId ? conversations.get(this.#openId) : null;
    if (open) this.#badge.setTitle(`${titleOf(open)} · ${t("app.title")}`);
    this.#messages?.drawHeader();
    this.#panel?.draw();
  }

  #activityChanged() {
    this.#messages?.drawHeader();
    this.#select.draw();
  }

  /** @param {string} conversationId @param {import("../socket.js").SocketState} state */
  #onState(conversationId, state) {
    if (conversationId === this.#openId) this.#messages?.onState(state);
    // The server does not want us in there: perhaps we are no longer in the conversation.
    if (state === "refused") void this.#reload(conversationId);
    if (state !== "open" && this.#context.online.forget(conversationId)) this.#activityChanged();
  }

  /** @param {string} conversationId @param {import("../socket.js").Frame} frame */
  #onFrame(conversationId, frame) {
    const { conversations, typing, online, people } = this.#context;
    const { type, payload } = frame;
    if (type === "message:new") {
      typing.note(conversationId, payload.sender_id, false);
      conversations.noteMessage(payload);
    } else if (type === "message:edited") {
      conversations.noteEdited(payload);
    } else if (type === "message:deleted") {
      if (conversations.get(conversationId)?.last_message?.id === payload.id) void this.#poll();
    } else if (type === "message:read" && payload.user_id === people.ownId) {
      // Read on another device; if not to the end, the server knows what is left.
      if (conversations.get(conversationId)?.last_message?.id === payload.message_id) conversations.noteRead(conversationId);
      else void this.#poll();
    } else if (type === "typing" && payload.user_id !== people.ownId) {
      typing.note(conversationId, payload.user_id, Boolean(payload.is_typing));
    } else if (type === "presence") {
      online.note(conversationId, payload.user_id, Boolean(payload.online));
      this.#activityChanged();
    } else if (type === "conversation:updated") {
      void this.#reload(conversationId);
    } else if (type === "participant:added" || type === "participant:removed") {
      this.#participantsChanged(conversationId, type, payload.user_id);
    }
    if (conversationId === this.#openId) this.#messages?.onFrame(frame);
  }

  /** @param {string} conversationId @param {string} type @param {number} userId */
  #participantsChanged(conversationId, type, userId) {
    const { conversations, people } = this.#context;
    if (type === "participant:removed" && userId === people.ownId) conversations.remove(conversationId);
    else void this.#reload(conversationId);
  }

  /** Ask for a conversation anew; it may be gone. @param {string} conversationId */
  async #reload(conversationId) {
    const { conversations, people } = this.#context;
    try {
      const conversation = await conversations.load(conversationId);
      people.addParticipants(conversation.participants ?? []);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 404 || error.status === 403) conversations.remove(conversationId);
    }
  }

  async #logout() {
    this.#context.live.close();
    await this.#onLogout();
  }
}
