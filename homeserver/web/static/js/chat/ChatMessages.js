import { PAGE } from "../chatapi.js";
import { ConnectionBar } from "../client/connection.js";
import { h } from "../client/dom.js";
import { dropzone } from "../client/dropzone.js";
import { ApiError } from "../client/errors.js";
import { ReadMarks } from "../client/readmarks.js";
import { ScrollKeeper } from "../client/scroll.js";
import { OwnTyping } from "../client/typing.js";
import { badgeCount } from "../format.js";
import { t } from "../i18n.js";
import { Composer } from "./composer.js";
import { conversationFrame } from "./conversationframe.js";
import { explain } from "./explain.js";
import { ConversationHeader } from "./header.js";
import { History } from "./history.js";
import { MessageActions } from "./messageactions.js";
import { deleteMessage, editMessage, reportMessage } from "./messagechanges.js";
import { MessageList } from "./messagelist.js";
import { summary } from "./messageview.js";
import { Outbox } from "./outbox.js";
import { moveFocus } from "./rowfocus.js";
import { emptyMessages, errorState, messageSkeleton } from "./states.js";

const READ_COUNT_PAUSE_MS = 3000;
const MOST_PAGES_TO_QUOTE = 20;

/**
 * @typedef {import("../chatapi.js").Message} Message
 * @typedef {import("./context.js").ChatContext} ChatContext
 */

/** One conversation on the screen: its messages, and where new ones are written. */
export class ChatMessages {
  #context;
  #id;
  #timeline;
  #unreadAtStart;
  #outbox;
  #typing;
  #reads;
  #connection;
  #list;
  #frame;
  #keeper;
  #newSinceAway = 0;
  #isPlaced = false;
  #countTimer = 0;
  #lastTopTry = 0;
  /** @type {(() => void)[]} */
  #endings = [];

  /**
   * @param {ChatContext} context
   * @param {import("../chatapi.js").Conversation} conversation
   * @param {import("./timeline.js").Timeline} timeline
   * @param {{onBack: () => void, onInfo: () => void}} handlers
   */
  constructor(context, conversation, timeline, handlers) {
    this.#context = context;
    this.#id = conversation.id;
    this.#timeline = timeline;
    this.#unreadAtStart = conversation.unread_count;
    const { api, chatApi, people, live } = context;
    this.history = new History(chatApi, this.#id, timeline);
    this.#outbox = new Outbox({ api, chatApi, conversationId: this.#id, timeline, history: this.history });
    this.#typing = new OwnTyping((isTyping) => live.socket(this.#id)?.send("typing", { is_typing: isTyping }));
    this.#reads = new ReadMarks((messageId) => this.#sendRead(messageId), () => context.conversations.noteRead(this.#id));
    this.header = new ConversationHeader({ people, ...handlers });
    this.#connection = new ConnectionBar(
      { connecting: t("connection.connecting"), lost: t("connection.lost"), retry: t("connection.retry") },
      () => live.socket(this.#id)?.retry(),
    );
    this.#list = this.#makeList(conversation.type === "group");
    this.composer = this.#makeComposer();
    const frame = conversationFrame({
      header: this.header.element,
      connection: this.#connection.element,
      list: this.#list.element,
      composer: this.composer.element,
      onKey: (event) => this.#key(event),
      onJump: () => this.#jumpToNewest(),
    });
    this.element = frame.element;
    this.#frame = frame;
    dropzone(this.element, t("composer.drop"), (files) => this.composer.addFiles(files));
    this.#addActions();
    this.#keeper = new ScrollKeeper(this.#frame.scroller, this.#list.element, () => this.#scrolled());
    this.#listen();
    this.drawHeader();
  }

  get conversation() {
    return this.#context.conversations.get(this.#id);
  }

  /** Leave the conversation. What was written and not sent stays with the context. */
  close() {
    this.#context.drafts.set(this.#id, this.composer.draft);
    this.#timeline.trim(PAGE);
    this.#typing.stopped();
    this.#reads.stop();
    this.#connection.stop();
    this.#keeper.stop();
    clearTimeout(this.#countTimer);
    for (const end of this.#endings) end();
    this.element.remove();
  }

  drawHeader() {
    const conversation = this.conversation;
    if (!conversation) return;
    const { typing, online } = this.#context;
    this.header.draw(conversation, typing.in(this.#id), online);
  }

  /** A frame of this conversation's socket. @param {import("../socket.js").Frame} frame */
  onFrame({ type, payload }) {
    if (type === "message:new") this.#timeline.add(payload);
    else if (type === "message:edited") this.#timeline.update(payload);
    else if (type === "message:deleted") {
      this.#timeline.remove(payload.id);
      this.composer.forget(payload.id);
    } else if (type === "message:read") this.#othersRead(payload);
    // An `error` can only be about typing, read marks or a sync here; all of them are made good elsewhere.
  }

  /** @param {import("../socket.js").SocketState} state */
  onState(state) {
    this.#connection.set(state);
    if (state !== "open") return;
    const last = this.#timeline.last;
    if (last) this.#context.live.socket(this.#id)?.send("sync", { after: last.id });
    this.#reads.forget();
    void this.#refresh().then(() => this.#outbox.retryAll());
  }

  /** The list says that there is a message here that the socket did not bring. */
  checkStale() {
    const last = this.conversation?.last_message;
    const isBehind = last && this.#timeline.isLoaded && !this.#timeline.get(last.id) && !this.#timeline.pending.some((one) => one.message?.id === last.id);
    if (isBehind) this.#context.live.socket(this.#id)?.restart();
  }

  #addActions() {
    const { people, isAdmin } = this.#context;
    const list = this.#list.element;
    return new MessageActions({
      list,
      find: (id) => this.#timeline.get(id),
      canEdit: (message) => message.sender_id === people.ownId && Boolean(message.text),
      canDelete: (message) => message.sender_id === people.ownId || isAdmin(this.conversation),
      canReport: (message) => message.sender_id !== people.ownId,
      onReply: (message) => this.composer.reply({ messageId: message.id, name: this.#nameOf(message), text: summary(message) }),
      onEdit: (message) => this.#startEdit(message),
      onDelete: (message) => void deleteMessage(this.#context, this.#timeline, message).then(() => this.composer.focus()),
      onCopy: (message) => void this.#copy(message),
      onReport: (message) => reportMessage(this.#context, message),
    });
  }

  /** @param {boolean} isGroup */
  #makeList(isGroup) {
    return new MessageList({
      timeline: this.#timeline,
      people: this.#context.people,
      isGroup,
      handlers: {
        onQuote: (messageId) => void this.#goTo(messageId),
        onRetry: (clientId) => this.#outbox.retry(clientId),
        onDiscard: (clientId) => this.#outbox.discard(clientId),
        onCancelFile: (clientId, upload) => this.#outbox.cancelFile(clientId, upload),
      },
    });
  }

  #makeComposer() {
    const composer = new Composer({
      onSend: (text, replyTo, files) => this.#send(text, replyTo, files),
      onEdit: (messageId, text) => void editMessage(this.#context, this.#timeline, messageId, text),
      onEditLast: () => this.#editLast(),
      onTyping: () => this.#typing.typed(),
      onStopTyping: () => this.#typing.stopped(),
      onTooMany: () => this.#context.toasts.error(t("composer.too_many")),
    });
    const draft = this.#context.drafts.get(this.#id);
    if (draft) composer.draft = draft;
    return composer;
  }

  #listen() {
    const { people, live } = this.#context;
    const look = () => this.#look();
    addEventListener("focus", look);
    document.addEventListener("visibilitychange", look);
    this.#endings.push(
      this.#timeline.on("change", () => this.#draw()),
      this.#timeline.on("arrived", (message) => this.#arrived(message)),
      people.on("change", () => {
        this.drawHeader();
        this.#draw();
      }),
      () => removeEventListener("focus", look),
      () => document.removeEventListener("visibilitychange", look),
    );
    this.#connection.set(live.socket(this.#id)?.state ?? "connecting");
  }

  /** Show the messages; the element must be in the page by now. */
  async start() {
    this.#draw();
    try {
      await this.history.refresh();
    } catch (error) {
      const text = explain(error);
      if (!this.#timeline.isLoaded) this.#frame.state.replaceChildren(errorState(text, () => this.#reload()));
    }
    if (this.#timeline.isLoaded) this.#place();
  }

  #reload() {
    this.#frame.state.replaceChildren(messageSkeleton());
    void this.start();
  }

  /** Begin at the first unread message, or at the end. */
  #place() {
    this.#isPlaced = true;
    this.#list.unreadFrom = this.#firstUnread();
    this.#draw();
    const divider = this.#list.unreadDivider;
    if (divider) this.#keeper.toElement(divider);
    else this.#keeper.toBottom();
    this.#scrolled();
  }

  async #refresh() {
    try {
      await this.history.refreshAgain();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // The next connection, or the next look at the list, tries again.
    }
  }

  #draw() {
    if (!this.#timeline.isLoaded) return;
    const isEmpty = this.#timeline.messages.length === 0 && this.#timeline.pending.length === 0;
    this.#frame.state.replaceChildren(...(isEmpty ? [emptyMessages(this.conversation?.type ?? "group")] : []));
    this.#keeper.keep(() => this.#list.draw());
    this.#look();
  }

  /** @returns {string | null} */
  #firstUnread() {
    let left = this.#unreadAtStart;
    let first = null;
    for (const message of [...this.#timeline.messages].reverse()) {
      if (left <= 0) break;
      if (message.sender_id === this.#context.people.ownId) continue;
      first = message.id;
      left -= 1;
    }
    return first;
  }

  #scrolled() {
    this.#look();
    if (this.#frame.scroller.scrollTop < this.#frame.scroller.clientHeight) void this.#loadOlder();
  }

  /** What the reader sees now: mark it as read, or offer the way to it. */
  #look() {
    const isAtEnd = this.#keeper.distance < 60;
    if (isAtEnd) {
      this.#newSinceAway = 0;
      if (this.#isPlaced) this.#reads.seen(this.#timeline.last?.id);
    }
    this.#frame.jump.set(!isAtEnd && this.#keeper.distance > 200, badgeCount(this.#newSinceAway), this.#newSinceAway);
  }

  async #loadOlder() {
    if (!this.#timeline.hasOlder || this.#frame.top.childElementCount > 0 || performance.now() - this.#lastTopTry < 100) return;
    this.#frame.top.replaceChildren(h("span", { class: "spinner" }), h("span", { class: "visually-hidden" }, t("message.loading_older")));
    try {
      await this.history.older();
      this.#frame.top.replaceChildren();
    } catch (error) {
      const text = explain(error);
      const retry = () => {
        this.#frame.top.replaceChildren();
        void this.#loadOlder();
      };
      this.#frame.top.replaceChildren(h("span", null, text), h("button", { type: "button", class: "link", on: { click: retry } }, t("action.retry")));
    } finally {
      this.#lastTopTry = performance.now();
    }
  }

  /** @param {Message} message */
  #arrived(message) {
    const isMine = message.sender_id === this.#context.people.ownId;
    if (isMine) return;
    if (!this.#keeper.isStuck) this.#newSinceAway += 1;
    this.#context.announcer.say(t("message.announce", { name: this.#nameOf(message), text: summary(message) }));
    this.#look();
  }

  /** @param {{user_id: number, message_id: string}} payload */
  #othersRead({ user_id: userId, message_id: messageId }) {
    const { people } = this.#context;
    const conversation = this.conversation;
    if (userId === people.ownId || !conversation) return;
    const others = (conversation.participants?.length ?? conversation.member_count ?? 2) - 1;
    const mostReaders = conversation.type === "private" ? 1 : Math.max(1, others);
    if (this.#timeline.markRead(userId, messageId, people.ownId, mostReaders) || this.#countTimer) return;
    this.#countTimer = setTimeout(() => {
      this.#countTimer = 0;
      void this.#refresh();
    }, READ_COUNT_PAUSE_MS / 3);
  }

  /** @param {string} messageId */
  async #sendRead(messageId) {
    if (this.#context.live.socket(this.#id)?.send("message:read", { message_id: messageId })) return;
    try {
      await this.#context.chatApi.markRead(this.#id, messageId);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#reads.forget();
    }
  }

  /**
   * @param {string} text
   * @param {string | null} replyTo
   * @param {import("./uploads.js").Upload[]} files
   */
  #send(text, replyTo, files) {
    this.#list.unreadFrom = null;
    this.#keeper.isStuck = true;
    this.#outbox.send(text, replyTo, files);
  }

  #editLast() {
    const own = this.#timeline.messages.filter((message) => message.sender_id === this.#context.people.ownId && message.text);
    const last = own.at(-1);
    if (last) this.#startEdit(last);
  }

  /** @param {Message} message */
  #startEdit(message) {
    this.composer.edit({ messageId: message.id, name: "", text: message.text ?? "" });
    this.#list.rowOf(message.id)?.scrollIntoView({ block: "nearest" });
  }

  /** @param {Message} message */
  async #copy(message) {
    try {
      await navigator.clipboard.writeText(message.text ?? "");
      this.#context.toasts.info(t("message.copied"));
    } catch {
      this.#context.toasts.error(t("message.copy_failed"));
    }
  }

  #jumpToNewest() {
    this.#keeper.toBottom(this.#keeper.distance < 3 * this.#frame.scroller.clientHeight);
    this.composer.focus();
  }

  /** Go to a message, loading what lies before it as far as need be. @param {string} messageId */
  async #goTo(messageId) {
    try {
      for (let page = 0; page < MOST_PAGES_TO_QUOTE && !this.#timeline.get(messageId) && this.#timeline.hasOlder; page += 1) {
        await this.history.older();
      }
    } catch (error) {
      return this.#context.toasts.error(explain(error));
    }
    const row = this.#list.rowOf(messageId);
    if (!row) return this.#context.toasts.info(t("message.original_gone"));
    this.#keeper.toElement(row);
    row.classList.remove("row-found");
    void row.offsetWidth;
    row.classList.add("row-found");
    row.focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (moveFocus(event, this.#list.element)) return;
    if (event.key === "Escape") this.composer.focus();
  }

  /** @param {Message} message */
  #nameOf(message) {
    const { people } = this.#context;
    return message.sender_id === people.ownId ? t("message.you") : people.face(message.sender_id).name;
  }
}
