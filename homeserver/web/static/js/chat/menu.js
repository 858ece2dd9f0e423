import { h, icon } from "../client/dom.js";
import { language, t } from "../i18n.js";
import { avatar } from "../ui/avatar.js";
import { applyTheme, theme } from "../ui/theme.js";

/**
 * The menu of the person who is signed in: language, colours, and the way out.
 *
 * @param {object} options
 * @param {Record<string, string>} options.languages code -> its own name
 * @param {() => {name: string, email: string}} options.me
 * @param {() => void} options.onLogout
 */
export function profileMenu({ languages, me, onLogout }) {
  const menu = h("div", { class: "menu", id: "profile-menu", hidden: true });
  const button = h("button", { type: "button", class: "menu-button", "aria-label": t("menu.open"), title: t("menu.open"), "aria-haspopup": "true", "aria-expanded": "false", "aria-controls": menu.id });
  const setOpen = (/** @type {boolean} */ isOpen) => {
    if (isOpen) menu.replaceChildren(...content());
    menu.hidden = !isOpen;
    button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) /** @type {HTMLElement | null} */ (menu.querySelector("input, a, button"))?.focus();
  };
  const content = () => [
    h("div", { class: "menu-me" }, h("strong", { dir: "auto" }, me().name), h("span", null, me().email)),
    themeChoice(),
    languageChoice(languages),
    h("button", { type: "button", class: "menu-item", on: { click: onLogout } }, icon("logout", 18), t("menu.logout")),
  ];
  const frame = h("div", { class: "menu-frame" }, button, menu);
  button.addEventListener("click", () => setOpen(menu.hidden));
  frame.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || menu.hidden) return;
    event.stopPropagation();
    setOpen(false);
    button.focus();
  });
  frame.addEventListener("focusout", (event) => {
    if (event.relatedTarget instanceof Node && !frame.contains(event.relatedTarget)) setOpen(false);
  });
  document.addEventListener("pointerdown", (event) => {
    if (event.target instanceof Node && !frame.contains(event.target)) setOpen(false);
  });
  const draw = () => button.replaceChildren(avatar({ name: me().name, key: me().name }));
  draw();
  return { element: frame, draw };
}

function themeChoice() {
  const icons = /** @type {const} */ ({ system: "monitor", light: "sun", dark: "moon" });
  const option = (/** @type {"system" | "light" | "dark"} */ name) =>
    h(
      "label",
      { class: "segment", title: t(`theme.${name}`) },
      h("input", { type: "radio", name: "theme", value: name, checked: theme() === name, "aria-label": t(`theme.${name}`), on: { change: () => applyTheme(name) } }),
      h("span", null, icon(icons[name], 18)),
    );
  return h(
    "div",
    null,
    h("span", { class: "menu-label", id: "theme-label" }, t("theme.label")),
    h("div", { class: "segments", role: "radiogroup", "aria-labelledby": "theme-label" }, option("system"), option("light"), option("dark")),
  );
}

/** @param {Record<string, string>} languages */
function languageChoice(languages) {
  const links = Object.entries(languages).map(([code, name]) => {
    const link = h("a", { class: "segment-link", href: `/chat?lang=${code}`, lang: code, "aria-current": code === language ? "true" : null }, name);
    // The open conversation stands behind the # of the address and stays open.
    link.addEventListener("click", () => (link.hash = location.hash));
    return link;
  });
  return h("div", { class: "menu-languages" }, h("span", { class: "menu-label" }, t("menu.language")), h("div", { class: "segments" }, links));
}
