import { h, icon, iconButton, show } from "../client/dom.js";

/**
 * @typedef {object} Item
 * @property {keyof typeof import("../client/icons.js").ICONS} icon
 * @property {string} label
 * @property {() => void} action
 *
 * A button with a menu behind it.
 *
 * @param {string} label
 * @param {() => Item[]} items asked for each time it is opened
 * @returns {HTMLElement}
 */
export function menuButton(label, items) {
  const list = h("div", { class: "menu", role: "menu", "aria-label": label, hidden: true });
  const button = iconButton("more", label, () => setOpen(list.hidden), { "aria-haspopup": "menu", "aria-expanded": "false" });
  const frame = h("div", { class: "menu-frame" }, button, list);
  const entries = () => /** @type {HTMLElement[]} */ ([...list.children]);
  const setOpen = (/** @type {boolean} */ isOpen) => {
    if (isOpen) list.replaceChildren(...items().map(entry));
    show(list, isOpen);
    button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) entries()[0]?.focus();
  };
  const entry = (/** @type {Item} */ item) => {
    const run = () => {
      setOpen(false);
      button.focus();
      item.action();
    };
    return h("button", { type: "button", class: "menu-item", role: "menuitem", tabindex: -1, on: { click: run } }, icon(item.icon, 18), item.label);
  };
  frame.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    const all = entries();
    const at = all.findIndex((one) => one.matches(":focus"));
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 };
    const next = moves[/** @type {keyof typeof moves} */ (event.key)];
    if (next !== undefined) all[next % all.length]?.focus();
    else if (event.key === "Escape") {
      setOpen(false);
      button.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  // Some browsers give a button no focus on a click; the menu would close before it is heard.
  list.addEventListener("mousedown", (event) => event.preventDefault());
  frame.addEventListener("focusout", (event) => {
    if (!(event.relatedTarget instanceof Node && frame.contains(event.relatedTarget))) setOpen(false);
  });
  return frame;
}
