import { h } from "../client/dom.js";
import { t } from "../i18n.js";
import { jumpButton, messageSkeleton } from "./states.js";

/**
 * The elements that one conversation is made of.
 *
 * @param {object} parts
 * @param {HTMLElement} parts.header
 * @param {HTMLElement} parts.connection
 * @param {HTMLElement} parts.list
 * @param {HTMLElement} parts.composer
 * @param {(event: KeyboardEvent) => void} parts.onKey a key was pressed in the messages
 * @param {() => void} parts.onJump
 */
export function conversationFrame({ header, connection, list, composer, onKey, onJump }) {
  const top = h("div", { class: "older", role: "status" });
  const state = h("div", { class: "messages-state" }, messageSkeleton());
  const keydown = (/** @type {Event} */ event) => onKey(/** @type {KeyboardEvent} */ (event));
  const scroller = h("div", { class: "scroller", role: "log", "aria-live": "off", "aria-label": t("message.log"), tabindex: 0, on: { keydown } }, top, state, list);
  const jump = jumpButton(onJump);
  const element = h(
    "section",
    { class: "conversation", "aria-label": t("conversation.region") },
    header,
    connection,
    h("div", { class: "messages" }, scroller, jump.element),
    composer,
  );
  return { element, scroller, top, state, jump };
}
