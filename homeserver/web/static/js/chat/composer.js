import { h, icon, iconButton, show } from "../client/dom.js";
import { filePicker, isSendKey, messageField } from "../client/writing.js";
import { t } from "../i18n.js";
import { uploadView } from "./attachmentview.js";
import { Upload } from "./uploads.js";

const MOST_FILES = 10;
const TALLEST = 180;

/**
 * @typedef {object} Context what the text is for, besides a new message
 * @property {"reply" | "edit"} kind
 * @property {string} messageId
 * @property {string} name
 * @property {string} text
 *
 * @typedef {object} Handlers
 * @property {(text: string, replyTo: string | null, files: Upload[]) => void} onSend
 * @property {(messageId: string, text: string) => void} onEdit
 * @property {() => void} onEditLast
 * @property {() => void} onTyping
 * @property {() => void} onStopTyping
 * @property {() => void} onTooMany
 */

/** Where messages are written: text, files, and what is being answered or changed. */
export class Composer {
  #handlers;
  /** @type {Context | null} */
  #context = null;
  /** @type {Upload[]} */
  #files = [];
  /** The text that was there before an edit began. */
  #kept = "";

  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
    const onFiles = (/** @type {File[]} */ files) => this.addFiles(files);
    const heard = { onFiles, onInput: () => this.#changed(), onKey: (/** @type {KeyboardEvent} */ event) => this.#key(event), onLeave: () => handlers.onStopTyping() };
    this.field = messageField({ id: "composer", placeholder: t("composer.placeholder"), "aria-label": t("composer.label") }, heard);
    this.#picker = filePicker({ "aria-label": t("composer.files") }, onFiles);
    this.#attach = iconButton("attach", t("composer.attach"), () => this.#picker.click(), { class: "composer-attach" });
    this.#sendButton = iconButton("send", t("composer.send"), () => this.submit(), { class: "composer-send" });
    this.#bar = h("div", { class: "composer-context", hidden: true });
    this.#tray = h("div", { class: "composer-tray", role: "group", "aria-label": t("composer.tray"), hidden: true });
    this.element = h(
      "div",
      { class: "composer" },
      this.#bar,
      this.#tray,
      h("div", { class: "composer-line" }, this.#attach, this.#picker, this.field, this.#sendButton),
    );
    this.#changed();
  }

  /** @type {HTMLInputElement} */ #picker;
  /** @type {HTMLButtonElement} */ #attach;
  /** @type {HTMLButtonElement} */ #sendButton;
  /** @type {HTMLElement} */ #bar;
  /** @type {HTMLElement} */ #tray;

  focus() {
    this.field.focus({ preventScroll: true });
  }

  /** What was written and not sent; kept while another conversation is open. */
  get draft() {
    return { text: this.#context?.kind === "edit" ? this.#kept : this.field.value, files: this.#files, reply: this.#context?.kind === "reply" ? this.#context : null };
  }

  set draft({ text, files, reply }) {
    this.field.value = text;
    this.#files = files;
    this.#setContext(reply);
    this.#drawTray();
    this.#changed();
  }

  /** @param {{messageId: string, name: string, text: string}} message */
  reply(message) {
    this.#leaveEdit();
    this.#setContext({ kind: "reply", ...message });
    this.focus();
  }

  /** @param {{messageId: string, name: string, text: string}} message */
  edit(message) {
    if (this.#context?.kind !== "edit") this.#kept = this.field.value;
    this.#setContext({ kind: "edit", ...message });
    this.field.value = message.text;
    this.#changed();
    this.focus();
    this.field.setSelectionRange(message.text.length, message.text.length);
  }

  /** The message that is being answered or changed is gone. @param {string} messageId */
  forget(messageId) {
    if (this.#context?.messageId === messageId) this.#cancelContext();
  }

  /** @param {Iterable<File>} files */
  addFiles(files) {
    if (this.#context?.kind === "edit") this.#cancelContext();
    for (const file of files) {
      if (this.#files.length >= MOST_FILES) {
        this.#handlers.onTooMany();
        break;
      }
      this.#files = [...this.#files, new Upload(file)];
    }
    this.#drawTray();
    this.#changed();
    this.focus();
  }

  submit() {
    const text = this.field.value.trim();
    const context = this.#context;
    if (context?.kind === "edit") {
      if (!text) return;
      if (text !== context.text) this.#handlers.onEdit(context.messageId, text);
      this.#cancelContext();
      return;
    }
    if (!text && this.#files.length === 0) return;
    const files = this.#files;
    this.#files = [];
    this.field.value = "";
    this.#setContext(null);
    this.#drawTray();
    this.#changed();
    this.#handlers.onStopTyping();
    this.#handlers.onSend(text, context?.messageId ?? null, files);
    this.focus();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing) return;
    if (isSendKey(event)) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape" && this.#context) {
      event.preventDefault();
      event.stopPropagation();
      this.#cancelContext();
    } else if (event.key === "ArrowUp" && !this.field.value && !this.#context && this.#files.length === 0) {
      event.preventDefault();
      this.#handlers.onEditLast();
    }
  }

  #changed() {
    const isEmpty = !this.field.value.trim() && this.#files.length === 0;
    this.#sendButton.disabled = isEmpty;
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(this.field.scrollHeight, TALLEST)}px`;
    if (this.field.value && document.activeElement === this.field && this.#context?.kind !== "edit") this.#handlers.onTyping();
  }

  #cancelContext() {
    this.#leaveEdit();
    this.#setContext(null);
    this.focus();
  }

  #leaveEdit() {
    if (this.#context?.kind !== "edit") return;
    this.field.value = this.#kept;
    this.#kept = "";
    this.#changed();
  }

  /** @param {Context | null} context */
  #setContext(context) {
    this.#context = context;
    const isEdit = context?.kind === "edit";
    this.#attach.disabled = isEdit;
    const label = isEdit ? t("composer.save") : t("composer.send");
    this.#sendButton.setAttribute("aria-label", label);
    this.#sendButton.title = label;
    this.#sendButton.replaceChildren(icon(isEdit ? "check" : "send"));
    show(this.#bar, context !== null);
    this.#bar.replaceChildren();
    if (!context) return;
    this.#bar.append(
      icon(isEdit ? "edit" : "reply"),
      h(
        "div",
        { class: "composer-context-text" },
        h("span", { class: "quote-name" }, isEdit ? t("composer.editing") : t("composer.replying", { name: context.name })),
        h("span", { class: "quote-text", dir: "auto" }, context.text),
      ),
      iconButton("close", isEdit ? t("composer.cancel_edit") : t("composer.cancel_reply"), () => this.#cancelContext()),
    );
  }

  #drawTray() {
    show(this.#tray, this.#files.length > 0);
    const remove = (/** @type {Upload} */ file) => {
      file.dispose();
      this.#files = this.#files.filter((one) => one !== file);
      this.#drawTray();
      this.#changed();
      this.focus();
    };
    this.#tray.replaceChildren(...this.#files.map((file) => uploadView(file, () => remove(file))));
  }
}
