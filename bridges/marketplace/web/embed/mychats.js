import { h } from "../client/dom.js";
import { Emitter } from "../client/emitter.js";
import { avatar } from "./avatar.js";
import { badgeCount } from "./format.js";
import { nameOf } from "./people.js";
import { titleOf } from "./titles.js";

const LOOK_AGAIN_MS = 60000;

/**
 * The chats that somebody has as a buyer. They are asked for now and then, not followed live.
 *
 * @extends {Emitter<{change: null}>}
 */
export class MyChats extends Emitter {
  #parts;
  /** @type {import("./market.js").Chat[]} */
  #chats = [];
  /** @type {number | null} the one that is open, and counted by whoever shows it */
  #openId = null;
  #lookedAt = 0;
  #round = 0;

  /**
   * @param {object} parts
   * @param {import("./market.js").Market} parts.market
   * @param {import("./texts.js").Texts} parts.texts
   * @param {import("./options.js").Options} parts.options
   * @param {(topic: import("./buyer.js").Topic) => void} parts.onOpen
   */
  constructor(parts) {
    super();
    this.#parts = parts;
    this.element = h("div", { class: "mine" });
  }

  get count() {
    return this.#chats.length;
  }

  /** Unread messages in all chats but the open one. */
  get unread() {
    return this.#chats.reduce((sum, chat) => (chat.id === this.#openId ? sum : sum + chat.unread_count), 0);
  }

  /** @param {number | null} chatId */
  without(chatId) {
    this.#openId = chatId;
  }

  /** Somebody else reads now. */
  clear() {
    this.#round += 1;
    this.#chats = [];
    this.element.replaceChildren();
    this.emit("change", null);
  }

  /** Ask again, if the page is looked at and the last time is a while ago. */
  async look(isUrgent = false) {
    const isDue = isUrgent || Date.now() - this.#lookedAt > LOOK_AGAIN_MS;
    if (isDue && !document.hidden) await this.load();
  }

  async load() {
    const { market, texts } = this.#parts;
    this.#round += 1;
    const round = this.#round;
    this.#lookedAt = Date.now();
    try {
      const chats = await market.mine();
      if (round !== this.#round) return;
      this.#chats = chats;
      this.#draw();
    } catch (error) {
      const retry = h("button", { type: "button", class: "button", on: { click: () => void this.load() } }, texts.t("action.retry"));
      this.element.replaceChildren(h("div", { class: "window-wait", role: "alert" }, h("p", null, texts.explain(error)), retry));
    }
    this.emit("change", null);
  }

  #draw() {
    const { t } = this.#parts.texts;
    if (this.#chats.length === 0) return this.element.replaceChildren(h("p", { class: "window-wait" }, t("chat.none")));
    this.element.replaceChildren(h("ul", { "aria-label": t("chat.mine") }, this.#chats.map((chat) => this.#row(chat))));
  }

  /** @param {import("./market.js").Chat} chat */
  #row(chat) {
    const { texts, onOpen } = this.#parts;
    const name = nameOf(chat, String(chat.seller_id), texts);
    const at = chat.last_message_time ?? chat.created_at;
    const topic = { sellerId: String(chat.seller_id), iphoneId: String(chat.iphone_id) };
    return h(
      "li",
      null,
      h(
        "button",
        { type: "button", class: "mine-row", on: { click: () => onOpen(topic) } },
        avatar(name, topic.sellerId),
        h(
          "span",
          { class: "mine-text" },
          h("span", { class: "mine-line" }, h("bdi", { class: "mine-title" }, titleOf(topic.iphoneId, this.#parts)), h("time", { datetime: at }, texts.shortMoment(at))),
          h("span", { class: "mine-line" }, h("span", { class: "mine-last" }, h("bdi", null, name), ": ", h("bdi", null, chat.last_message ?? texts.t("chat.last_none"))), this.#badge(chat.unread_count)),
        ),
      ),
    );
  }

  /** @param {number} count */
  #badge(count) {
    if (count === 0) return null;
    const text = this.#parts.texts.t("badge.unread", { count });
    return h("span", { class: "badge" }, h("span", { "aria-hidden": "true" }, badgeCount(count)), h("span", { class: "visually-hidden" }, text));
  }
}
