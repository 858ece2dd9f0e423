import { arrange, h } from "../client/dom.js";
import { messageView, pendingView } from "./messageview.js";
import { nameOf } from "./people.js";

const RUN_MS = 5 * 60000;

/**
 * @typedef {import("./market.js").Message} Message
 * @typedef {import("./log.js").Pending} Pending
 * @typedef {{key: string, message: Message | null, pending: Pending | null, at: string, sender: string}} Said
 * @typedef {{element: HTMLElement, source: unknown, look: string}} Row
 */

/** The messages of a log as elements, of which those stay that did not change. */
export class MessageList {
  #log;
  #chat;
  #ownId;
  #scene;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** The first message that was unread when the chat was opened. @type {number | null} */
  unreadFrom = null;

  /**
   * @param {object} needs
   * @param {import("./log.js").Log} needs.log
   * @param {() => import("./market.js").Chat} needs.chat as it is now
   * @param {string} needs.ownId
   * @param {import("./messageview.js").Scene} needs.scene
   */
  constructor({ log, chat, ownId, scene }) {
    this.#log = log;
    this.#chat = chat;
    this.#ownId = ownId;
    this.#scene = scene;
    this.element = h("div", { class: "messages" });
  }

  draw() {
    /** @type {Map<string, Row>} */
    const rows = new Map();
    const said = this.#said();
    const isNamed = new Set(said.map((one) => one.sender).filter((one) => one !== "system")).size > 2;
    said.forEach((one, index) => {
      const previous = said[index - 1];
      const next = said[index + 1];
      const isNewDay = !previous || !isSameDay(previous.at, one.at);
      const isUnread = one.message !== null && one.message.id === this.unreadFrom;
      if (isNewDay) this.#divider(rows, `day ${new Date(one.at).toDateString()}`, this.#scene.texts.day(one.at), "divider");
      if (isUnread) this.#divider(rows, "unread", this.#scene.texts.t("message.unread"), "divider divider-unread");
      const isFirst = isNewDay || isUnread || !isRun(previous, one);
      const isLast = !next || !isRun(one, next);
      const isMine = one.sender === this.#ownId;
      this.#row(rows, one, { isMine, isFirst, isLast, isNamed: isNamed && !isMine, name: nameOf(this.#chat(), one.sender, this.#scene.texts) });
    });
    for (const [key, { element }] of this.#rows) if (rows.get(key)?.element !== element) element.remove();
    this.#rows = rows;
    arrange(this.element, [...rows.values()].map((row) => row.element));
  }

  /** @returns {Said[]} */
  #said() {
    const { messages, pending } = this.#log;
    return [
      ...messages.map((message) => ({ key: `message ${message.id}`, message, pending: null, at: message.created_at, sender: message.sender_id })),
      ...pending.map((one) => ({ key: `pending ${one.clientId}`, message: null, pending: one, at: one.createdAt, sender: this.#ownId })),
    ];
  }

  /** @param {Map<string, Row>} rows @param {string} key @param {string} label @param {string} className */
  #divider(rows, key, label, className) {
    const known = this.#rows.get(key);
    const isSame = known?.look === label;
    const element = isSame ? known.element : h("div", { class: className, role: "separator", "aria-label": label }, h("span", null, label));
    rows.set(key, { element, source: null, look: label });
  }

  /** @param {Map<string, Row>} rows @param {Said} one @param {import("./messageview.js").Look} look */
  #row(rows, { key, message, pending }, look) {
    const source = message ? JSON.stringify(message) : pending;
    const drawn = JSON.stringify(look);
    const known = this.#rows.get(key);
    if (known && known.source === source && known.look === drawn) {
      rows.set(key, known);
      return;
    }
    const element = message ? messageView(message, look, this.#scene) : pendingView(/** @type {Pending} */ (pending), look, this.#scene);
    rows.set(key, { element, source, look: drawn });
  }
}

/** @param {string} one @param {string} other */
function isSameDay(one, other) {
  return new Date(one).toDateString() === new Date(other).toDateString();
}

/** Whether two messages are shown as one run. @param {Said} one @param {Said} next */
function isRun(one, next) {
  return one.sender === next.sender && isSameDay(one.at, next.at) && Date.parse(next.at) - Date.parse(one.at) < RUN_MS;
}
