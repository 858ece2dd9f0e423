import { h, icon } from "../client/dom.js";
import { badgeCount, fullMoment, shortMoment } from "../format.js";
import { t } from "../i18n.js";
import { avatar } from "../ui/avatar.js";
import { activityOf } from "./conversations.js";
import { otherOf, titleOf, typingText } from "./header.js";
import { summary } from "./messageview.js";

/**
 * One line of the list of conversations.
 *
 * @param {import("../chatapi.js").Conversation} conversation
 * @param {object} look
 * @param {import("./people.js").People} look.people
 * @param {number[]} look.typing
 * @param {boolean} look.isSelected
 * @param {boolean} look.isOnline
 * @param {string} look.draft
 * @param {(id: string) => void} onSelect
 */
export function conversationItem(conversation, { people, typing, isSelected, isOnline, draft }, onSelect) {
  const title = titleOf(conversation);
  const isGroup = conversation.type === "group";
  const other = otherOf(conversation, people.ownId);
  const unread = isSelected ? 0 : conversation.unread_count;
  const picture = avatar({
    name: title,
    key: isGroup ? conversation.id : title,
    shape: isGroup ? "group" : "person",
    url: other === null ? null : people.face(other).avatar,
  });
  const content = [
    h("span", { class: `item-picture ${isOnline ? "is-online" : ""}` }, picture),
    h(
      "span",
      { class: "item-text" },
      h(
        "span",
        { class: "item-line" },
        h("span", { class: "item-title", dir: "auto" }, title),
        h("time", { class: "item-time", datetime: activityOf(conversation), title: fullMoment(activityOf(conversation)) }, shortMoment(activityOf(conversation))),
      ),
      h(
        "span",
        { class: "item-line" },
        lastLine(conversation, people, typing, draft),
        unread > 0 && h("span", { class: "badge", "aria-label": t("list.unread", { count: unread }) }, badgeCount(unread)),
      ),
    ),
  ];
  return h(
    "button",
    {
      type: "button",
      class: `item ${unread > 0 ? "is-unread" : ""}`,
      tabindex: -1,
      "aria-current": isSelected ? "true" : null,
      dataset: { conversationId: conversation.id },
      on: { click: () => onSelect(conversation.id) },
    },
    content,
  );
}

/**
 * @param {import("../chatapi.js").Conversation} conversation
 * @param {import("./people.js").People} people
 * @param {number[]} typing
 * @param {string} draft
 */
function lastLine(conversation, people, typing, draft) {
  if (typing.length > 0) return h("span", { class: "item-last is-typing" }, typingText(typing, people, conversation.type));
  if (draft) return h("span", { class: "item-last" }, h("span", { class: "item-draft" }, t("list.draft")), " ", h("bdi", null, draft));
  const last = conversation.last_message;
  if (!last) return h("span", { class: "item-last" }, t("list.no_messages"));
  const isMine = last.sender_id === people.ownId;
  const who = isMine ? t("list.you") : conversation.type === "group" && people.isKnown(last.sender_id) ? `${people.shortName(last.sender_id)}:` : "";
  return h(
    "span",
    { class: "item-last" },
    who && h("span", { class: "item-who" }, `${who} `),
    !last.text && icon("attach", 15),
    h("bdi", null, summary(last)),
  );
}
