import { h, icon, iconButton, randomId } from "../client/dom.js";

/**
 * A modal dialog within a widget. The browser keeps the focus inside and closes it on Escape; afterwards the focus is
 * where it was.
 *
 * @param {HTMLElement} parent
 * @param {object} options
 * @param {string} options.title
 * @param {import("./texts.js").Texts} options.texts
 * @param {import("../client/dom.js").Child[]} options.content
 * @param {HTMLElement[]} [options.actions] buttons at the foot
 * @param {string} [options.className]
 * @returns {HTMLDialogElement}
 */
export function openSheet(parent, { title, texts, content, actions = [], className = "" }) {
  const id = `sheet-${randomId()}`;
  const root = /** @type {Document | ShadowRoot} */ (parent.getRootNode());
  const opener = root.activeElement;
  const sheet = h(
    "dialog",
    { class: `sheet ${className}`.trim(), "aria-labelledby": id },
    h("div", { class: "sheet-head" }, h("h2", { id }, title), iconButton("close", texts.t("action.close"), () => sheet.close())),
    h("div", { class: "sheet-content" }, content),
    actions.length > 0 && h("div", { class: "sheet-actions" }, actions),
  );
  sheet.addEventListener("click", (event) => {
    if (event.target === sheet) sheet.close();
  });
  // The window around it must not take the same key as meant for itself.
  sheet.addEventListener("keydown", (event) => event.key === "Escape" && event.stopPropagation());
  sheet.addEventListener("cancel", (event) => event.stopPropagation());
  sheet.addEventListener("close", (event) => {
    event.stopPropagation();
    sheet.remove();
    if (opener instanceof HTMLElement && opener.isConnected) opener.focus({ preventScroll: true });
  });
  parent.append(sheet);
  sheet.showModal();
  return sheet;
}

/**
 * Ask before something is done, perhaps with a few words.
 *
 * @param {HTMLElement} parent
 * @param {object} options
 * @param {string} options.title
 * @param {string} [options.text]
 * @param {string} [options.label] of a field for words; without it there is none
 * @param {string} options.confirm what the button that does it says
 * @param {import("./texts.js").Texts} options.texts
 * @returns {Promise<string | null>} the words; null: better not
 */
export function ask(parent, { title, text = "", label = "", confirm, texts }) {
  return new Promise((resolve) => {
    /** @type {string | null} */
    let answer = null;
    const field = h("textarea", { class: "sheet-field", rows: 3, maxlength: 500, "aria-label": label, placeholder: label });
    const cancel = h("button", { type: "button", class: "button", on: { click: () => sheet.close() } }, texts.t("action.cancel"));
    const go = h("button", { type: "button", class: "button button-danger" }, confirm);
    const content = [text && h("p", null, text), label && field];
    const sheet = openSheet(parent, { title, texts, content, actions: [cancel, go] });
    go.addEventListener("click", () => {
      answer = field.value.trim();
      sheet.close();
    });
    sheet.addEventListener("close", () => resolve(answer));
    (label ? field : cancel).focus();
  });
}

/**
 * A picture in full size.
 *
 * @param {HTMLElement} parent
 * @param {{url: string, name: string}} picture
 * @param {import("./texts.js").Texts} texts
 */
export function openPicture(parent, { url, name }, texts) {
  const download = h("a", { class: "button", href: url, download: name, target: "_blank", rel: "noopener" }, icon("download", 18), texts.t("file.download", { name }));
  openSheet(parent, { title: name, texts, content: [h("img", { class: "sheet-picture", src: url, alt: name })], actions: [download], className: "sheet-large" });
}
