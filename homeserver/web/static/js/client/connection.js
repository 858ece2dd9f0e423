import { h, icon, show } from "./dom.js";

const QUIET_MS = 1500;

/**
 * Tells how the connection is: nothing to see when it is good, a line when it is being made again (after a moment, so
 * that short breaks do not flicker), and a button when it has been given up.
 */
export class ConnectionBar {
  #texts;
  #onRetry;
  #timer = 0;

  /**
   * @param {{connecting: string, lost: string, retry: string}} texts
   * @param {() => void} onRetry
   */
  constructor(texts, onRetry) {
    this.#texts = texts;
    this.#onRetry = onRetry;
    this.element = h("div", { class: "connection", role: "status", hidden: true });
  }

  /** @param {import("./socket.js").SocketState} state */
  set(state) {
    const isOver = state === "failed" || state === "refused";
    if (state === "open" || state === "closed") {
      this.stop();
      show(this.element, false);
    } else if (isOver || !this.element.hidden) {
      this.stop();
      this.#draw(isOver);
    } else if (this.#timer === 0) {
      // Counted from the first sign of trouble, however often it tries meanwhile.
      this.#timer = setTimeout(() => this.#draw(false), QUIET_MS);
    }
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  /** @param {boolean} isOver */
  #draw(isOver) {
    const kind = isOver ? "lost" : "connecting";
    show(this.element, true);
    if (this.element.dataset.kind === kind) return;
    this.element.dataset.kind = kind;
    this.element.classList.toggle("connection-lost", isOver);
    this.element.replaceChildren(
      isOver ? icon("offline", 18) : h("span", { class: "spinner", "aria-hidden": "true" }),
      h("span", null, isOver ? this.#texts.lost : this.#texts.connecting),
    );
    if (isOver) {
      this.element.append(h("button", { type: "button", class: "link", on: { click: this.#onRetry } }, this.#texts.retry));
    }
  }
}
