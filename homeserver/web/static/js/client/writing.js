import { h } from "./dom.js";

/**
 * The field where a message is written.
 *
 * @param {import("./dom.js").Properties} properties
 * @param {object} handlers
 * @param {() => void} handlers.onInput
 * @param {(event: KeyboardEvent) => void} handlers.onKey
 * @param {(files: File[]) => void} handlers.onFiles they were pasted
 * @param {() => void} handlers.onLeave
 */
export function messageField(properties, { onInput, onKey, onFiles, onLeave }) {
  const keydown = (/** @type {Event} */ event) => onKey(/** @type {KeyboardEvent} */ (event));
  const paste = (/** @type {Event} */ event) => {
    const files = /** @type {ClipboardEvent} */ (event).clipboardData?.files;
    if (!files?.length) return;
    event.preventDefault();
    onFiles([...files]);
  };
  const on = { input: onInput, keydown, paste, blur: onLeave };
  return h("textarea", { class: "composer-field", rows: 1, dir: "auto", enterkeyhint: "send", on, ...properties });
}

/**
 * Asks for files; the button that opens it stands elsewhere.
 *
 * @param {import("./dom.js").Properties} properties
 * @param {(files: File[]) => void} onFiles
 */
export function filePicker(properties, onFiles) {
  const change = () => {
    onFiles([...(picker.files ?? [])]);
    picker.value = "";
  };
  // A dialog around it must not take the end of the choice as its own.
  const cancel = (/** @type {Event} */ event) => event.stopPropagation();
  const picker = h("input", { type: "file", multiple: true, hidden: true, on: { change, cancel }, ...properties });
  return picker;
}

/** Whether this key sends what was written. @param {KeyboardEvent} event */
export function isSendKey(event) {
  // On a touch keyboard Enter makes a new line: there is a button to send, and no Shift+Enter.
  const isTouch = matchMedia("(hover: none) and (pointer: coarse)").matches;
  return event.key === "Enter" && !event.shiftKey && !event.isComposing && !isTouch;
}
