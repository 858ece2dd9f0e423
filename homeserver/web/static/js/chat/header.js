import { h, iconButton } from "../client/dom.js";
import { t } from "../i18n.js";
import { avatar } from "../ui/avatar.js";

/** The head of a conversation: whose it is, what they are doing, and the way to its details. */
export class ConversationHeader {
  #people;
  #key = "";

  /**
   * @param {object} needs
   * @param {import("./people.js").People} needs.people
   * @param {() => void} needs.onBack
   * @param {() => void} needs.onInfo
   */
  constructor({ people, onBack, onInfo }) {
    this.#people = people;
    this.#picture = h("span", { class: "item-picture conversation-picture" });
    this.#title = h("h2", { class: "conversation-title", dir: "auto" });
    this.#subtitle = h("p", { class: "conversation-subtitle" });
    this.infoButton = iconButton("info", t("panel.open"), onInfo, { class: "conversation-info", "aria-expanded": "false", "aria-controls": "panel" });
    this.element = h(
      "header",
      { class: "conversation-head" },
      iconButton("back", t("action.back"), onBack, { class: "conversation-back" }),
      // A large target for the pointer; the keyboard and screen readers have the button beside it.
      h("div", { class: "conversation-name", on: { click: onInfo } }, this.#picture, h("div", { class: "conversation-titles" }, this.#title, this.#subtitle)),
      this.infoButton,
    );
  }

  /** @type {HTMLElement} */ #picture;
  /** @type {HTMLElement} */ #title;
  /** @type {HTMLElement} */ #subtitle;

  /**
   * @param {import("../chatapi.js").Conversation} conversation
   * @param {number[]} typing who is typing
   * @param {import("./presence.js").Presence} online
   */
  draw(conversation, typing, online) {
    const title = titleOf(conversation);
    const other = otherOf(conversation, this.#people.ownId);
    const face = other === null ? null : this.#people.face(other);
    const key = JSON.stringify([title, face?.avatar, conversation.id]);
    if (key !== this.#key) {
      this.#key = key;
      this.#title.textContent = title;
      this.#picture.replaceChildren(
        avatar({ name: title, key: conversation.type === "group" ? conversation.id : title, shape: conversation.type === "group" ? "group" : "person", url: face?.avatar }),
      );
    }
    const isOnline = other !== null && online.has(other);
    this.#picture.classList.toggle("is-online", isOnline);
    const text = typing.length > 0 ? typingText(typing, this.#people, conversation.type) : this.#state(conversation, isOnline);
    if (this.#subtitle.textContent !== text) this.#subtitle.textContent = text;
    this.#subtitle.classList.toggle("is-typing", typing.length > 0);
  }

  /** @param {import("../chatapi.js").Conversation} conversation @param {boolean} isOnline */
  #state(conversation, isOnline) {
    if (isOnline) return t("person.online");
    if (conversation.type === "private") return t("conversation.private");
    const count = conversation.participants?.length ?? conversation.member_count;
    return count === undefined ? t("conversation.group") : t("conversation.members", { count });
  }
}

/** @param {import("../chatapi.js").Conversation} conversation */
export function titleOf(conversation) {
  return conversation.title?.trim() || t(conversation.type === "group" ? "conversation.untitled" : "conversation.private");
}

/**
 * The other person of a private conversation, where the participants are known.
 *
 * @param {import("../chatapi.js").Conversation} conversation
 * @param {number} ownId
 */
export function otherOf(conversation, ownId) {
  if (conversation.type !== "private") return null;
  return conversation.participants?.find((one) => one.user_id !== ownId)?.user_id ?? null;
}

/**
 * @param {number[]} typing
 * @param {import("./people.js").People} people
 * @param {"private" | "group"} type
 */
export function typingText(typing, people, type) {
  if (type === "private") return t("typing.private");
  const names = typing.slice(0, 2).map((id) => people.shortName(id));
  if (typing.length === 1) return t("typing.one", { name: names[0] });
  if (typing.length === 2) return t("typing.two", { name: names[0], other: names[1] });
  return t("typing.many", { count: typing.length });
}
