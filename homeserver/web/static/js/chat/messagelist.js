import { arrange, h } from "../client/dom.js";
import { dayKey, dayName } from "../format.js";
import { t } from "../i18n.js";
import { messageView, pendingView, summary } from "./messageview.js";

const RUN_MS = 5 * 60 * 1000;
const UNREAD = "unread";

/**
 * @typedef {import("../chatapi.js").Message} Message
 * @typedef {import("./timeline.js").Pending} Pending
 * @typedef {{key: string, kind: "divider", label: string}} Divider
 * @typedef {{key: string, kind: "message", message: Message, isFirst: boolean, isLast: boolean}} MessageItem
 * @typedef {{key: string, kind: "pending", pending: Pending, isFirst: boolean, isLast: boolean}} PendingItem
 * @typedef {Divider | MessageItem | PendingItem} Item
 * @typedef {{element: HTMLElement, source: unknown, look: string}} Row
 */

/** Draws a timeline, and draws again only what has changed. */
export class MessageList {
  #timeline;
  #people;
  #isGroup;
  #handlers;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** The first message that was unread when the conversation was opened. @type {string | null} */
  unreadFrom = null;

  /**
   * @param {object} needs
   * @param {import("./timeline.js").Timeline} needs.timeline
   * @param {import("./people.js").People} needs.people
   * @param {boolean} needs.isGroup
   * @param {import("./messageview.js").Handlers} needs.handlers
   */
  constructor({ timeline, people, isGroup, handlers }) {
    this.#timeline = timeline;
    this.#people = people;
    this.#isGroup = isGroup;
    this.#handlers = handlers;
    this.element = h("div", { class: "message-list" });
  }

  /** @param {string} messageId @returns {HTMLElement | null} */
  rowOf(messageId) {
    return this.#rows.get(messageId)?.element ?? null;
  }

  get unreadDivider() {
    return this.#rows.get(UNREAD)?.element ?? null;
  }

  draw() {
    const items = this.#items();
    const keys = new Set(items.map((item) => item.key));
    for (const [key, row] of this.#rows) {
      if (keys.has(key)) continue;
      row.element.remove();
      this.#rows.delete(key);
    }
    const elements = items.map((item) => this.#elementFor(item));
    arrange(this.element, elements);
  }

  /** @param {Item} item */
  #elementFor(item) {
    const { source, look } = this.#describe(item);
    const known = this.#rows.get(item.key);
    if (known && known.source === source && known.look === look) return known.element;
    const element = this.#make(item);
    if (known) {
      const hadFocus = known.element.contains(document.activeElement);
      known.element.replaceWith(element);
      if (hadFocus) element.focus({ preventScroll: true });
    }
    this.#rows.set(item.key, { element, source, look });
    return element;
  }

  /** What an item's element depends on: an object that is replaced when it changes, and the rest as text. @param {Item} item */
  #describe(item) {
    if (item.kind === "message") return { source: item.message, look: this.#lookKey(item, item.message.sender_id, item.message.reply_to) };
    if (item.kind === "pending") return { source: item.pending, look: this.#lookKey(item, this.#people.ownId, item.pending.replyTo) };
    return { source: null, look: item.label };
  }

  /** @param {MessageItem | PendingItem} item @param {number} senderId @param {string | null} replyTo */
  #lookKey(item, senderId, replyTo) {
    const face = this.#people.face(senderId);
    return JSON.stringify([item.isFirst, item.isLast, face.name, face.avatar, this.#quoted(replyTo)]);
  }

  /** @param {Item} item @returns {HTMLElement} */
  #make(item) {
    if (item.kind === "divider") {
      return h("div", { class: `divider ${item.key === UNREAD ? "divider-unread" : ""}`, role: "separator", "aria-label": item.label }, h("span", null, item.label));
    }
    const isMine = item.kind === "pending" || item.message.sender_id === this.#people.ownId;
    const senderId = item.kind === "pending" ? this.#people.ownId : item.message.sender_id;
    const replyTo = item.kind === "pending" ? item.pending.replyTo : item.message.reply_to;
    const look = {
      isMine,
      isGroup: this.#isGroup,
      isFirst: item.isFirst,
      isLast: item.isLast,
      face: this.#people.face(senderId),
      quoted: this.#quoted(replyTo),
    };
    if (item.kind === "pending") return pendingView(item.pending, look, this.#handlers);
    return messageView(item.message, look, this.#handlers);
  }

  /** @param {string | null} messageId */
  #quoted(messageId) {
    const message = messageId ? this.#timeline.get(messageId) : null;
    if (!message) return null;
    const isMine = message.sender_id === this.#people.ownId;
    return { name: isMine ? t("message.you") : this.#people.face(message.sender_id).name, text: summary(message) };
  }

  /** @returns {Item[]} */
  #items() {
    const { messages, pending } = this.#timeline;
    // A message whose files are still on their way is shown as the pending one until all are there.
    const hidden = new Set(pending.map((one) => one.messageId).filter(Boolean));
    const said = [
      ...messages
        .filter((message) => !hidden.has(message.id))
        .map((message) => ({ key: message.id, senderId: message.sender_id, at: message.created_at, message, pending: null })),
      ...pending.map((one) => ({ key: `pending:${one.clientId}`, senderId: this.#people.ownId, at: one.createdAt, message: null, pending: one })),
    ];
    /** @type {Item[]} */
    const items = [];
    said.forEach((one, index) => {
      const previous = said[index - 1];
      const next = said[index + 1];
      const newDay = !previous || dayKey(previous.at) !== dayKey(one.at);
      const isUnread = one.key === this.unreadFrom;
      if (newDay) items.push({ key: `day:${dayKey(one.at)}`, kind: "divider", label: dayName(one.at) });
      if (isUnread) items.push({ key: UNREAD, kind: "divider", label: t("message.unread") });
      const isFirst = newDay || isUnread || !belongTogether(previous, one);
      const isLast = !next || next.key === this.unreadFrom || dayKey(next.at) !== dayKey(one.at) || !belongTogether(one, next);
      if (one.message) items.push({ key: one.key, kind: "message", message: one.message, isFirst, isLast });
      else if (one.pending) items.push({ key: one.key, kind: "pending", pending: one.pending, isFirst, isLast });
    });
    return items;
  }
}

/**
 * Whether two messages in a row are shown as one run.
 *
 * @param {{senderId: number, at: string}} one
 * @param {{senderId: number, at: string}} next
 */
function belongTogether(one, next) {
  return one.senderId === next.senderId && Date.parse(next.at) - Date.parse(one.at) < RUN_MS;
}
