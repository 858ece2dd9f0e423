import { h, icon, iconButton } from "../client/dom.js";
import { linkify } from "../client/linkify.js";
import { fileView, pictureView, sendingView } from "./fileview.js";

/**
 * How one message looks, besides what it says.
 *
 * @typedef {object} Look
 * @property {boolean} isMine
 * @property {boolean} isFirst whether it begins a run of messages of one person
 * @property {boolean} isLast whether it ends such a run
 * @property {string} name of the sender
 * @property {boolean} isNamed whether the name is shown: more than two people talk here
 *
 * @typedef {object} Scene
 * @property {import("./market.js").Market} market
 * @property {import("./texts.js").Texts} texts
 * @property {(picture: {url: string, name: string}) => void} onPicture
 * @property {(message: import("./market.js").Message) => void} onReport
 * @property {(clientId: string) => void} onRetry
 * @property {(clientId: string) => void} onDiscard
 */

/**
 * A message that the server has.
 *
 * @param {import("./market.js").Message} message
 * @param {Look} look
 * @param {Scene} scene
 */
export function messageView(message, look, scene) {
  const { t } = scene.texts;
  if (message.message_type === "system") return h("p", { class: "system", dataset: { messageId: message.id } }, message.message_text);
  const file = fileOf(message, scene);
  const element = frame(look, [
    look.isNamed && look.isFirst && h("bdi", { class: "message-name" }, look.name),
    file,
    message.message_text && h("div", { class: "text", dir: "auto" }, linkify(message.message_text)),
    meta(message.created_at, look.isMine ? (message.is_read ? "read" : "sent") : "", scene.texts),
  ]);
  element.dataset.messageId = String(message.id);
  if (file?.classList.contains("picture")) element.classList.add("has-picture");
  const said = [look.isMine ? t("message.you") : look.name, message.message_text || message.file_name, scene.texts.time(message.created_at)];
  if (look.isMine) said.push(t(message.is_read ? "message.read" : "message.sent"));
  element.setAttribute("aria-label", said.filter(Boolean).join(", "));
  if (!look.isMine) element.append(iconButton("flag", t("message.report"), () => scene.onReport(message), { class: "message-report" }));
  return element;
}

/**
 * A message of ours that is on its way.
 *
 * @param {import("./log.js").Pending} pending
 * @param {Look} look
 * @param {Scene} scene
 */
export function pendingView(pending, look, scene) {
  const { t } = scene.texts;
  const isFailed = pending.state === "failed";
  const element = frame(look, [
    pending.file && sendingView(pending.file, scene.texts, () => scene.onDiscard(pending.clientId)),
    pending.text && h("div", { class: "text", dir: "auto" }, linkify(pending.text)),
    meta(pending.createdAt, isFailed ? "failed" : "sending", scene.texts),
  ]);
  element.classList.add(isFailed ? "is-failed" : "is-sending");
  element.setAttribute("aria-label", [t("message.you"), pending.text, t(isFailed ? "message.failed" : "message.sending")].filter(Boolean).join(", "));
  if (isFailed) {
    element.append(
      h(
        "div",
        { class: "failure", role: "alert" },
        h("span", null, pending.error || t("message.failed")),
        h("button", { type: "button", class: "link", on: { click: () => scene.onRetry(pending.clientId) } }, t("action.retry")),
        h("button", { type: "button", class: "link", on: { click: () => scene.onDiscard(pending.clientId) } }, t("action.discard")),
      ),
    );
  }
  return element;
}

/** @param {Look} look @param {import("../client/dom.js").Child[]} content */
function frame({ isMine, isFirst, isLast }, content) {
  const classes = ["message", isMine ? "message-mine" : "message-other", isFirst && "is-first", isLast && "is-last"];
  return h("div", { class: classes.filter(Boolean).join(" "), role: "article" }, h("div", { class: "bubble" }, content));
}

/** @param {import("./market.js").Message} message @param {Scene} scene */
function fileOf({ message_type: type, file_url: url, file_name: name, file_size: size }, { market, texts, onPicture }) {
  if (type !== "image" && type !== "file") return null;
  const own = market.ownFile(url);
  const shown = name || texts.t(type === "image" ? "file.image" : "file.file");
  if (type === "image" && own) return pictureView({ url: own, name: shown, size }, texts, onPicture);
  return fileView({ own, url, name: shown, size }, texts);
}

const MARKS = /** @type {const} */ ({ sending: "clock", failed: "alert", sent: "check", read: "checks" });

/** @param {string} at @param {"" | keyof typeof MARKS} state @param {import("./texts.js").Texts} texts */
function meta(at, state, texts) {
  return h(
    "span",
    { class: "meta" },
    h("time", { datetime: at, title: texts.moment(at) }, texts.time(at)),
    state && h("span", { class: `mark mark-${state}`, title: texts.t(`message.${state}`) }, icon(MARKS[state], 16)),
  );
}
