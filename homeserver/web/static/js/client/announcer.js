import { h } from "./dom.js";

/** Says things to people who use a screen reader, without moving their focus. */
export class Announcer {
  /** @param {HTMLElement} parent */
  constructor(parent) {
    this.element = h("div", { class: "visually-hidden", role: "status", "aria-live": "polite", id: "announcer" });
    parent.append(this.element);
  }

  /** @param {string} text */
  say(text) {
    const line = h("p", null, text);
    this.element.append(line);
    while (this.element.childElementCount > 5) this.element.firstElementChild?.remove();
  }
}
