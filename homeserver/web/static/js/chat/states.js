import { h, icon, show } from "../client/dom.js";
import { t } from "../i18n.js";

/**
 * Something to look at where there is nothing to show.
 *
 * @param {Parameters<typeof icon>[0]} name
 * @param {string} title
 * @param {string} [text]
 * @param {import("../client/dom.js").Child} [action]
 */
export function emptyState(name, title, text, action) {
  return h(
    "div",
    { class: "empty" },
    h("span", { class: "empty-icon" }, icon(name, 36)),
    h("p", { class: "empty-title" }, title),
    text && h("p", { class: "empty-text" }, text),
    action,
  );
}

/** @param {"private" | "group"} type */
export function emptyMessages(type) {
  return emptyState("chat", t("empty.messages"), t(type === "private" ? "empty.messages_private" : "empty.messages_group"));
}

/** @param {string} text @param {() => void} onRetry */
export function errorState(text, onRetry) {
  const button = h("button", { type: "button", class: "button", on: { click: onRetry } }, t("action.retry"));
  const state = emptyState("offline", text, "", button);
  state.setAttribute("role", "alert");
  return state;
}

/** Grey shapes where messages will be. */
export function messageSkeleton() {
  const widths = ["w40", "w60", "w30", "w50", "w70", "w40", "w60"];
  const rows = widths.map((width, index) => h("div", { class: `skeleton-row ${index % 3 === 1 ? "is-mine" : ""}` }, h("div", { class: `skeleton skeleton-bubble ${width}` })));
  return h("div", { class: "skeletons", role: "status", "aria-label": t("loading") }, rows);
}

/** Grey shapes where conversations will be. */
export function listSkeleton() {
  const row = () =>
    h("div", { class: "skeleton-item" }, h("div", { class: "skeleton skeleton-face" }), h("div", { class: "skeleton-lines" }, h("div", { class: "skeleton w50" }), h("div", { class: "skeleton w70" })));
  return h("div", { class: "skeletons", role: "status", "aria-label": t("loading") }, Array.from({ length: 8 }, row));
}

/** The button that leads to the newest message. @param {() => void} onClick */
export function jumpButton(onClick) {
  const badge = h("span", { class: "badge", hidden: true });
  const element = h("button", { type: "button", class: "jump", hidden: true, on: { click: onClick } }, icon("arrowDown", 22), badge);
  return {
    element,
    /** @param {boolean} isVisible @param {string} text @param {number} count */
    set(isVisible, text, count) {
      show(element, isVisible);
      show(badge, count > 0);
      badge.textContent = text;
      const label = count > 0 ? t("message.jump_new", { count }) : t("message.jump");
      if (element.getAttribute("aria-label") !== label) {
        element.setAttribute("aria-label", label);
        element.title = label;
      }
    },
  };
}
