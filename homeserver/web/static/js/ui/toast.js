import { h, icon, iconButton } from "../client/dom.js";
import { t } from "../i18n.js";

const SHOWN_MS = 6000;
const MOST_AT_ONCE = 3;

/**
 * Short messages at the edge of the screen. They go by themselves, but stay while the pointer or focus is on them.
 */
export class Toasts {
  #region;

  /** @param {HTMLElement} parent */
  constructor(parent) {
    this.#region = h("div", { class: "toasts", role: "region", "aria-label": t("toast.region") });
    // Popovers lie in the top layer, so a toast can be read even while a dialog is open.
    if ("popover" in this.#region) this.#region.popover = "manual";
    parent.append(this.#region);
  }

  /** @param {string} text */
  info(text) {
    this.#add(text, "status");
  }

  /** @param {string} text */
  error(text) {
    this.#add(text, "alert");
  }

  /**
   * @param {string} text
   * @param {"status" | "alert"} role
   */
  #add(text, role) {
    const toast = h(
      "div",
      { class: `toast toast-${role}`, role },
      icon(role === "alert" ? "alert" : "info"),
      h("p", null, text),
      iconButton("close", t("action.close"), () => this.#remove(toast)),
    );
    while (this.#region.childElementCount >= MOST_AT_ONCE) this.#region.firstElementChild?.remove();
    this.#region.append(toast);
    this.#raise();
    let timer = setTimeout(() => this.#remove(toast), SHOWN_MS);
    const hold = () => clearTimeout(timer);
    const release = () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.#remove(toast), SHOWN_MS / 2);
    };
    for (const event of ["pointerenter", "focusin"]) toast.addEventListener(event, hold);
    for (const event of ["pointerleave", "focusout"]) toast.addEventListener(event, release);
  }

  /** Put the region above whatever was opened last. */
  #raise() {
    if (!("popover" in this.#region)) return;
    if (this.#region.matches(":popover-open")) this.#region.hidePopover();
    this.#region.showPopover();
  }

  /** @param {HTMLElement} toast */
  #remove(toast) {
    toast.remove();
    if (!this.#region.childElementCount && "popover" in this.#region && this.#region.matches(":popover-open")) {
      this.#region.hidePopover();
    }
  }
}
