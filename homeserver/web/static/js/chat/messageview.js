import { h, icon } from "../client/dom.js";
import { isEmojiOnly, linkify } from "../client/linkify.js";
import { fullMoment, timeOfDay } from "../format.js";
import { t } from "../i18n.js";
import { avatar } from "../ui/avatar.js";
import { attachmentsView, uploadView } from "./attachmentview.js";

/**
 * How one message looks, besides what it says.
 *
 * @typedef {object} Look
 * @property {boolean} isMine
 * @property {boolean} isGroup
 * @property {boolean} isFirst whether it begins a run of messages of one person
 * @property {boolean} isLast whether it ends such a run
 * @property {import("./people.js").Face} face of the sender
 * @property {{name: string, text: string} | null} quoted what it answers
 *
 * @typedef {object} Handlers
 * @property {(messageId: string) => void} onQuote go to the message that is answered
 * @property {(clientId: string) => void} onRetry
 * @property {(clientId: string) => void} onDiscard
 * @property {(clientId: string, upload: import("./uploads.js").Upload) => void} onCancelFile
 */

/**
 * A message that the server has.
 *
 * @param {import("../chatapi.js").Message} message
 * @param {Look} look
 * @param {Handlers} handlers
 */
export function messageView(message, look, handlers) {
  const state = look.isMine ? (message.read_by_count > 0 ? "read" : "sent") : "";
  const row = rowView(look, [
    quoteView(message.reply_to, look, handlers),
    attachmentsView(message.attachments),
    textView(message.text),
    metaView(message, state, look.isGroup),
  ]);
  row.dataset.messageId = message.id;
  row.setAttribute("aria-label", spoken(message, look));
  if (row.querySelector(".pictures")) row.classList.add("row-pictures");
  if (message.attachments.length > 0 && !message.text) row.classList.add("row-files-only");
  if (message.text && !message.reply_to && message.attachments.length === 0 && isEmojiOnly(message.text)) row.classList.add("row-emoji");
  return row;
}

/**
 * A message of ours that is on its way.
 *
 * @param {import("./timeline.js").Pending} pending
 * @param {Look} look
 * @param {Handlers} handlers
 */
export function pendingView(pending, look, handlers) {
  const isFailed = pending.state === "failed";
  const meta = h("span", { class: "meta" }, h("time", null, timeOfDay(pending.createdAt)), icon(isFailed ? "alert" : pending.state === "sent" ? "check" : "clock", 15));
  const row = rowView(look, [
    quoteView(pending.replyTo, look, handlers),
    pending.files.length > 0 &&
      h("div", { class: "attachments" }, pending.files.map((file) => uploadView(file, file.state === "done" ? null : () => handlers.onCancelFile(pending.clientId, file)))),
    textView(pending.text),
    meta,
  ]);
  row.classList.add("row-pending", `row-${pending.state}`);
  row.setAttribute("aria-label", [t("message.you"), pending.text, t(`message.${pending.state}`)].filter(Boolean).join(", "));
  if (isFailed) row.append(failureView(pending, handlers));
  return row;
}

/** @param {import("./timeline.js").Pending} pending @param {Handlers} handlers */
function failureView(pending, handlers) {
  return h(
    "div",
    { class: "failure", role: "alert" },
    h("span", { class: "failure-text" }, pending.error || t("message.failed")),
    h("button", { type: "button", class: "link", on: { click: () => handlers.onRetry(pending.clientId) } }, t("action.retry")),
    h("button", { type: "button", class: "link", on: { click: () => handlers.onDiscard(pending.clientId) } }, t("action.discard")),
  );
}

/**
 * @param {Look} look
 * @param {import("../client/dom.js").Child[]} content
 */
function rowView(look, content) {
  const { face, isMine, isGroup, isFirst, isLast } = look;
  const showFace = isGroup && !isMine;
  const classes = ["row", isMine ? "row-mine" : "row-other", isFirst && "row-first", isLast && "row-last", showFace && "row-with-face"];
  return h(
    "div",
    { class: classes.filter(Boolean).join(" "), role: "article", tabindex: -1 },
    showFace && h("span", { class: "row-face" }, isLast && avatar({ name: face.name, key: face.name, url: face.avatar, size: "small" })),
    h("div", { class: "bubble" }, showFace && isFirst && h("div", { class: "bubble-name", dir: "auto" }, face.name), content),
  );
}

/** @param {string | null} text */
function textView(text) {
  return text ? h("div", { class: "text", dir: "auto" }, linkify(text)) : null;
}

/**
 * @param {string | null} messageId
 * @param {Look} look
 * @param {Handlers} handlers
 */
function quoteView(messageId, { quoted }, handlers) {
  if (!messageId) return null;
  const name = quoted?.name ?? t("message.reply");
  const text = quoted?.text ?? t("message.show_original");
  return h(
    "button",
    { type: "button", class: "quote", "aria-label": t("message.quote_label", { name, text }), on: { click: () => handlers.onQuote(messageId) } },
    h("span", { class: "quote-name", dir: "auto" }, name),
    h("span", { class: "quote-text", dir: "auto" }, text),
  );
}

/**
 * @param {import("../chatapi.js").Message} message
 * @param {"" | "sent" | "read"} state
 * @param {boolean} isGroup
 */
function metaView(message, state, isGroup) {
  const readers = isGroup && message.read_by_count > 0 ? t("message.read_by", { count: message.read_by_count }) : t("message.read");
  const mark = state && h("span", { class: `mark-${state}`, title: state === "read" ? readers : t("message.sent") }, icon(state === "read" ? "checks" : "check", 16));
  return h(
    "span",
    { class: "meta" },
    message.is_edited && h("span", { class: "edited" }, t("message.edited")),
    h("time", { datetime: message.created_at, title: fullMoment(message.created_at) }, timeOfDay(message.created_at)),
    mark,
  );
}

/**
 * The message as a screen reader says it.
 *
 * @param {import("../chatapi.js").Message} message
 * @param {Look} look
 */
function spoken(message, look) {
  const files = message.attachments.length > 0 && t("message.files", { count: message.attachments.length });
  const read = look.isMine && message.read_by_count > 0 && t("message.read_by", { count: message.read_by_count });
  const parts = [look.isMine ? t("message.you") : look.face.name, message.text, files, timeOfDay(message.created_at), message.is_edited && t("message.edited"), read];
  return parts.filter(Boolean).join(", ");
}

/**
 * What a message says in one line, for quotes and the list.
 *
 * @param {{text: string | null, attachments?: import("../chatapi.js").Attachment[]}} message
 */
export function summary(message) {
  const text = message.text?.replace(/\s+/g, " ").trim();
  if (text) return text.slice(0, 200);
  const kinds = new Set((message.attachments ?? []).map((one) => one.file_type));
  if (kinds.size === 1 && kinds.has("image")) return t("message.picture");
  return t("message.attachment");
}
