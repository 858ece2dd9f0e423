import { h, icon, show } from "../dom.js";
import { t } from "../i18n.js";

const QUIET_MS = 1200;

/**
 * Tells how the connection is: nothing to see when it is good, a line when it is being made again (after a moment, so
 * that short breaks do not flicker), and a button when it has been given up.
 */
export class ConnectionBar {
  #onRetry;
  #timer = 0;
  /** @type {import("../socket.js").SocketState} */
  #state = "connecting";

  /** @param {() => void} onRetry */
  constructor(onRetry) {
    this.#onRetry = onRetry;
    this.element = h("div", { class: "connection", role: "status", hidden: true });
  }

  /** @param {import("../socket.js").SocketState} state */
  set(state) {
    if (state === this.#state && state !== "failed") return;
    const wasGood = this.#state === "open";
    this.#state = state;
    clearTimeout(this.#timer);
    const isGood = state === "open" || state === "closed";
    if (isGood) return show(this.element, false);
    const isOver = state === "failed" || state === "refused";
    if (isOver || !this.element.hidden) return this.#draw(isOver);
    this.#timer = setTimeout(() => this.#draw(false), wasGood ? QUIET_MS : 2 * QUIET_MS);
  }

  stop() {
    clearTimeout(this.#timer);
  }

  /** @param {boolean} isOver */
  #draw(isOver) {
    this.element.classList.toggle("connection-lost", isOver);
    this.element.replaceChildren(
      isOver ? icon("offline", 18) : h("span", { class: "spinner", "aria-hidden": "true" }),
      h("span", null, t(isOver ? "connection.lost" : "connection.connecting")),
    );
    if (isOver) {
      this.element.append(h("button", { type: "button", class: "link", on: { click: this.#onRetry } }, t("connection.retry")));
    }
    show(this.element, true);
  }
}
