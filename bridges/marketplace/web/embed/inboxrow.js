import { h, icon, iconButton } from "../client/dom.js";
import { avatar } from "./avatar.js";
import { activityOf } from "./chatlist.js";
import { badgeCount } from "./format.js";

/**
 * @typedef {import("./market.js").Chat} Chat
 * @typedef {import("./texts.js").Texts} Texts
 */

/**
 * What a seller calls the buyer of a chat. A host that has said nothing of a person yet leaves the id as their name.
 *
 * @param {Chat} chat
 * @param {Texts} texts
 */
export function buyerName(chat, texts) {
  const number = chat.anonymous_buyer_number;
  if (!chat.buyer_is_registered) return number === null ? texts.t("inbox.guest") : texts.t("person.guest", { count: number });
  const name = chat.buyer_name?.trim();
  return name && name !== chat.buyer_id ? name : texts.t("inbox.buyer", { id: chat.buyer_id });
}

/**
 * One chat in the list: a button that opens it, and one that hides it.
 *
 * @param {Chat} chat
 * @param {object} look
 * @param {Texts} look.texts
 * @param {boolean} look.isOpen
 * @param {boolean} look.isOnline
 * @param {(id: number) => void} look.onOpen
 * @param {(id: number) => void} look.onHide
 */
export function chatRow(chat, { texts, isOpen, isOnline, onOpen, onHide }) {
  const name = buyerName(chat, texts);
  const unread = chat.unread_count;
  const at = activityOf(chat);
  return h(
    "li",
    { class: "item-frame", dataset: { chatId: chat.id } },
    h(
      "button",
      { type: "button", class: unread > 0 ? "item is-unread" : "item", tabindex: -1, "aria-current": isOpen ? "true" : null, on: { click: () => onOpen(chat.id) } },
      h("span", { class: isOnline ? "item-picture is-online" : "item-picture" }, face(chat, name)),
      h(
        "span",
        { class: "item-text" },
        h("span", { class: "item-line" }, h("bdi", { class: "item-title" }, name), h("time", { class: "item-time", datetime: at, title: texts.moment(at) }, texts.shortMoment(at))),
        h(
          "span",
          { class: "item-line" },
          h("bdi", { class: "item-last" }, chat.last_message ?? texts.t("inbox.no_messages")),
          chat.support_joined && icon("info", 16),
          unread > 0 && badge(unread, texts),
        ),
      ),
    ),
    iconButton("eyeOff", texts.t("inbox.hide", { name }), () => onHide(chat.id), { class: "item-hide", tabindex: -1 }),
  );
}

/** The initials of who has a name. @param {Chat} chat @param {string} name */
export function face(chat, name) {
  if (chat.buyer_is_registered) return avatar(name, chat.buyer_id);
  const plain = avatar("", chat.buyer_id);
  plain.replaceChildren(icon("user", 22));
  return plain;
}

/** @param {number} count @param {Texts} texts */
export function badge(count, texts) {
  return h("span", { class: "badge" }, h("span", { "aria-hidden": "true" }, badgeCount(count)), h("span", { class: "visually-hidden" }, texts.t("badge.unread", { count })));
}
