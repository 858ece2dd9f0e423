import { h, iconButton, show } from "../client/dom.js";
import { filePicker, isSendKey, messageField } from "../client/writing.js";
import { sendingView } from "./fileview.js";

const MOST_FILES = 5;
const MOST_CHARS = 2000;
const TALLEST = 132;
const TYPES = "image/jpeg,image/png,image/gif,image/webp,application/pdf";
const PREVIEWED = /^image\/(png|jpeg|gif|webp)$/;

/**
 * @typedef {object} Handlers
 * @property {(text: string, files: File[]) => void} onSend
 * @property {() => void} onTyping
 * @property {() => void} onStopTyping
 * @property {(text: string) => void} onRefused why a file was not taken
 */

/** Where messages are written: text and files. */
export class Composer {
  #handlers;
  #texts;
  /** @type {{file: File, previewUrl: string | null}[]} */
  #files = [];

  /** @param {Handlers} handlers @param {import("./texts.js").Texts} texts */
  constructor(handlers, texts) {
    const { t } = texts;
    this.#handlers = handlers;
    this.#texts = texts;
    const onFiles = (/** @type {File[]} */ files) => this.addFiles(files);
    const heard = { onFiles, onInput: () => this.#changed(), onKey: (/** @type {KeyboardEvent} */ event) => this.#key(event), onLeave: () => handlers.onStopTyping() };
    this.field = messageField({ maxlength: MOST_CHARS, placeholder: t("composer.placeholder"), "aria-label": t("composer.label") }, heard);
    this.#picker = filePicker({ accept: TYPES, "aria-label": t("composer.files") }, onFiles);
    this.#send = iconButton("send", t("composer.send"), () => this.#submit(), { class: "composer-send" });
    this.#tray = h("div", { class: "composer-tray", role: "group", "aria-label": t("composer.files"), hidden: true });
    const attach = iconButton("attach", t("composer.attach"), () => this.#picker.click(), { class: "composer-attach" });
    this.element = h("div", { class: "composer" }, this.#tray, h("div", { class: "composer-line" }, attach, this.#picker, this.field, this.#send));
    this.#changed();
  }

  /** @type {HTMLInputElement} */ #picker;
  /** @type {HTMLButtonElement} */ #send;
  /** @type {HTMLElement} */ #tray;

  focus() {
    this.field.focus({ preventScroll: true });
  }

  /** @param {Iterable<File>} files */
  addFiles(files) {
    for (const file of files) {
      if (this.#files.length >= MOST_FILES) break;
      if (!TYPES.split(",").includes(file.type)) {
        this.#handlers.onRefused(this.#texts.t("error.bad_file"));
        continue;
      }
      this.#files = [...this.#files, { file, previewUrl: PREVIEWED.test(file.type) ? URL.createObjectURL(file) : null }];
    }
    this.#changed();
    this.focus();
  }

  /** Let go of the previews. */
  close() {
    for (const { previewUrl } of this.#files) if (previewUrl) URL.revokeObjectURL(previewUrl);
    this.#files = [];
  }

  #submit() {
    const text = this.field.value.trim();
    const files = this.#files.map((one) => one.file);
    if (!text && files.length === 0) return;
    this.close();
    this.field.value = "";
    this.#changed();
    this.#handlers.onStopTyping();
    this.#handlers.onSend(text, files);
    this.focus();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (!isSendKey(event)) return;
    event.preventDefault();
    this.#submit();
  }

  #changed() {
    this.#send.disabled = !this.field.value.trim() && this.#files.length === 0;
    this.field.style.height = "auto";
    if (this.field.value) this.field.style.height = `${Math.min(this.field.scrollHeight, TALLEST)}px`;
    if (this.field.value) this.#handlers.onTyping();
    this.#drawTray();
  }

  #drawTray() {
    show(this.#tray, this.#files.length > 0);
    if (this.#tray.childElementCount === this.#files.length) return;
    this.#tray.replaceChildren(
      ...this.#files.map((one) => {
        const remove = () => {
          if (one.previewUrl) URL.revokeObjectURL(one.previewUrl);
          this.#files = this.#files.filter((other) => other !== one);
          this.#changed();
          this.focus();
        };
        return sendingView({ ...one, progress: 0, stored: null, ending: new AbortController() }, this.#texts, remove);
      }),
    );
  }
}
