import { h, iconButton, randomId } from "../client/dom.js";
import { t } from "../i18n.js";

/**
 * A modal dialog. The browser keeps the focus inside and closes it on Escape; afterwards the focus is where it was.
 *
 * @param {object} options
 * @param {string} options.title
 * @param {import("../client/dom.js").Child[]} options.content
 * @param {import("../client/dom.js").Child[]} [options.actions] buttons at the foot
 * @param {string} [options.className]
 * @param {() => void} [options.onClose]
 * @returns {HTMLDialogElement}
 */
export function openDialog({ title, content, actions = [], className = "", onClose }) {
  const titleId = `title-${randomId()}`;
  const opener = document.activeElement;
  const dialog = h(
    "dialog",
    { class: `dialog ${className}`.trim(), "aria-labelledby": titleId },
    h(
      "div",
      { class: "dialog-box" },
      h(
        "header",
        { class: "dialog-head" },
        h("h2", { id: titleId }, title),
        iconButton("close", t("action.close"), () => dialog.close()),
      ),
      h("div", { class: "dialog-content" }, content),
      actions.length > 0 && h("footer", { class: "dialog-actions" }, actions),
    ),
  );
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    const isFocusFree = document.activeElement === null || document.activeElement === document.body || dialog.contains(document.activeElement);
    dialog.remove();
    if (isFocusFree && opener instanceof HTMLElement && opener.isConnected) opener.focus();
    onClose?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Ask before something that cannot be undone.
 *
 * @param {object} options
 * @param {string} options.title
 * @param {string} options.text
 * @param {string} options.confirm what the button that does it says
 * @returns {Promise<boolean>}
 */
export function confirmDialog({ title, text, confirm }) {
  return new Promise((resolve) => {
    let answer = false;
    const cancelButton = h("button", { type: "button", class: "button" }, t("action.cancel"));
    const confirmButton = h("button", { type: "button", class: "button button-danger" }, confirm);
    const dialog = openDialog({
      title,
      content: [h("p", null, text)],
      actions: [cancelButton, confirmButton],
      className: "dialog-small",
      onClose: () => resolve(answer),
    });
    cancelButton.addEventListener("click", () => dialog.close());
    confirmButton.addEventListener("click", () => {
      answer = true;
      dialog.close();
    });
    cancelButton.focus();
  });
}
