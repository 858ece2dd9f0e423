import { h, icon } from "./dom.js";

/**
 * Take files that are dragged onto an element, with a cover that says so.
 *
 * @param {HTMLElement} element
 * @param {string} text what the cover says
 * @param {(files: File[]) => void} onFiles
 */
export function dropzone(element, text, onFiles) {
  const cover = h("div", { class: "dropzone", "aria-hidden": "true", hidden: true }, icon("attach", 36), h("p", null, text));
  element.append(cover);
  let depth = 0;
  const hasFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
  const leave = () => {
    depth = 0;
    cover.hidden = true;
  };
  element.addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth += 1;
    cover.hidden = false;
  });
  element.addEventListener("dragover", (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  element.addEventListener("dragleave", (event) => {
    if (!hasFiles(event)) return;
    depth -= 1;
    if (depth <= 0) leave();
  });
  element.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    leave();
    onFiles([...(event.dataTransfer?.files ?? [])]);
  });
}
