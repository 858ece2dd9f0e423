import { h, icon } from "../client/dom.js";
import { ApiError } from "../client/errors.js";
import { Push } from "./push.js";

const TEXTS = {
  en: {
    blocked: "Notifications are blocked in the browser",
    failed: "Notifications could not be turned on in this browser.",
    off: "Turn on notifications",
    on: "Turn off notifications",
  },
  ru: {
    blocked: "Уведомления запрещены в браузере",
    failed: "Не удалось включить уведомления в этом браузере.",
    off: "Включить уведомления",
    on: "Выключить уведомления",
  },
};

/** The button that turns notifications on and off; not there where there can be none. */
export class Notifications {
  #push;
  #texts;
  #onError;

  /**
   * @param {object} options
   * @param {import("./market.js").Market} options.market
   * @param {string | null} options.worker
   * @param {string} options.userId
   * @param {import("./texts.js").Texts} options.texts
   * @param {(text: string) => void} options.onError
   */
  constructor({ market, worker, userId, texts, onError }) {
    this.#texts = texts;
    this.#onError = onError;
    this.#push = new Push(market, worker, userId);
    this.element = h("button", { type: "button", class: "button push-button", hidden: true, on: { click: () => void this.#toggle() } });
    this.#push.on("state", () => this.#draw());
    void this.#attempt(() => this.#push.look());
  }

  async #toggle() {
    this.element.disabled = true;
    await this.#attempt(() => (this.#push.state === "on" ? this.#push.turnOff() : this.#push.turnOn()));
    this.element.disabled = this.#push.state === "blocked";
  }

  /** @param {() => Promise<void>} action */
  async #attempt(action) {
    try {
      await action();
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof DOMException)) throw error;
      this.#onError(error instanceof ApiError ? this.#texts.explain(error) : TEXTS[this.#texts.lang].failed);
    }
  }

  #draw() {
    const { state } = this.#push;
    this.element.hidden = state === "none";
    if (state === "none") return;
    const text = TEXTS[this.#texts.lang][state];
    this.element.disabled = state === "blocked";
    this.element.title = text;
    this.element.setAttribute("aria-pressed", String(state === "on"));
    this.element.replaceChildren(icon(state === "blocked" ? "bellOff" : "bell", 18), h("span", { class: state === "off" ? null : "visually-hidden" }, text));
  }
}
