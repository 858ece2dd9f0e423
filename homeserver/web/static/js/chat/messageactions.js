import { h, iconButton } from "../client/dom.js";
import { t } from "../i18n.js";

/**
 * The small bar of actions at the message under the pointer, with the focus, or tapped: one bar for all messages.
 */
export class MessageActions {
  #options;
  /** @type {HTMLElement | null} */
  #row = null;
  /** The message that had the bar when the pointer went down; a tap also moves the focus, which shows the bar. @type {HTMLElement | null} */
  #rowBefore = null;

  /**
   * @param {object} options
   * @param {HTMLElement} options.list where the messages are
   * @param {(messageId: string) => import("../chatapi.js").Message | null} options.find
   * @param {(message: import("../chatapi.js").Message) => boolean} options.canEdit
   * @param {(message: import("../chatapi.js").Message) => boolean} options.canDelete
   * @param {(message: import("../chatapi.js").Message) => boolean} options.canReport
   * @param {(message: import("../chatapi.js").Message) => void} options.onReply
   * @param {(message: import("../chatapi.js").Message) => void} options.onEdit
   * @param {(message: import("../chatapi.js").Message) => void} options.onDelete
   * @param {(message: import("../chatapi.js").Message) => void} options.onCopy
   * @param {(message: import("../chatapi.js").Message) => void} options.onReport
   */
  constructor(options) {
    this.#options = options;
    this.element = h("div", { class: "actions", role: "toolbar", "aria-label": t("message.actions") });
    const { list } = options;
    list.addEventListener("pointerover", (event) => {
      // It stays where the keyboard is.
      if (event.pointerType === "mouse" && !this.element.querySelector(":focus-visible")) this.#showAt(event.target);
    });
    list.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") this.hide();
    });
    list.addEventListener("focusin", (event) => this.#showAt(event.target));
    list.addEventListener("pointerdown", () => (this.#rowBefore = this.#row), { capture: true });
    list.addEventListener("click", (event) => this.#tapped(event));
  }

  hide() {
    if (this.element.contains(document.activeElement)) return;
    this.element.remove();
    this.#row = null;
  }

  /** On a touch screen a tap on a message shows its actions, a second one hides them. @param {MouseEvent} event */
  #tapped(event) {
    if (!matchMedia("(hover: none)").matches || !(event.target instanceof Element)) return;
    if (event.target.closest("a, button, video")) return;
    const row = event.target.closest("[data-message-id]");
    if (row && row !== this.#rowBefore) this.#showAt(row);
    else this.hide();
  }

  /** @param {EventTarget | null} target */
  #showAt(target) {
    const row = target instanceof Element ? target.closest("[data-message-id]") : null;
    if (!(row instanceof HTMLElement) || (row === this.#row && this.element.parentElement)) return;
    const message = this.#options.find(row.dataset.messageId ?? "");
    if (!message) return;
    this.#row = row;
    const { onReply, onCopy, onEdit, onDelete, onReport, canEdit, canDelete, canReport } = this.#options;
    const buttons = [
      iconButton("reply", t("action.reply"), () => onReply(message)),
      message.text && iconButton("copy", t("action.copy"), () => onCopy(message)),
      canEdit(message) && iconButton("edit", t("action.edit"), () => onEdit(message)),
      canReport(message) && iconButton("flag", t("report.open"), () => onReport(message)),
      canDelete(message) && iconButton("trash", t("action.delete"), () => onDelete(message), { class: "danger" }),
    ];
    this.element.replaceChildren(...buttons.filter((one) => one instanceof Node));
    row.querySelector(".bubble")?.append(this.element);
  }
}
