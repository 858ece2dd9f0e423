import { h } from "../client/dom.js";
import { t } from "../i18n.js";
import { confirmDialog, openDialog } from "../ui/dialog.js";
import { explain } from "./explain.js";

const LONGEST_REASON = 500;

/**
 * Ask, then delete a message: it goes from the screen at once and comes back if the server refuses.
 *
 * @param {import("./context.js").ChatContext} context
 * @param {import("./timeline.js").Timeline} timeline
 * @param {import("../chatapi.js").Message} message
 */
export async function deleteMessage({ chatApi, people, toasts, conversations }, timeline, message) {
  const isMine = message.sender_id === people.ownId;
  const isSure = await confirmDialog({
    title: t("delete.title"),
    text: t(isMine ? "delete.text" : "delete.text_other"),
    confirm: t("action.delete"),
  });
  if (!isSure) return;
  const index = timeline.messages.findIndex((one) => one.id === message.id);
  timeline.remove(message.id);
  try {
    await chatApi.deleteMessage(message.id);
    await conversations.refresh();
  } catch (error) {
    toasts.error(explain(error));
    if (index >= 0) timeline.restore(message, index);
  }
}

/**
 * Change a message's text: at once on the screen, and back again if the server refuses.
 *
 * @param {import("./context.js").ChatContext} context
 * @param {import("./timeline.js").Timeline} timeline
 * @param {string} messageId
 * @param {string} text
 */
export async function editMessage({ chatApi, toasts, conversations }, timeline, messageId, text) {
  const before = timeline.get(messageId);
  if (!before) return toasts.error(t("message.original_gone"));
  timeline.update({ ...before, text, is_edited: true });
  try {
    const message = await chatApi.editMessage(messageId, text);
    timeline.update(message);
    conversations.noteEdited(message);
  } catch (error) {
    timeline.update(before);
    toasts.error(explain(error));
  }
}

/**
 * Ask why, then tell the server's admins of a message.
 *
 * @param {import("./context.js").ChatContext} context
 * @param {import("../chatapi.js").Message} message
 */
export function reportMessage({ chatApi, toasts }, message) {
  const reason = h("textarea", { class: "input", id: "report-reason", rows: 3, maxlength: LONGEST_REASON });
  const send = h("button", { type: "button", class: "button button-primary" }, t("report.confirm"));
  const cancel = h("button", { type: "button", class: "button" }, t("action.cancel"));
  const dialog = openDialog({
    title: t("report.title"),
    content: [h("p", null, t("report.text")), h("div", { class: "field" }, h("label", { for: reason.id }, t("report.reason")), reason)],
    actions: [cancel, send],
    className: "dialog-small",
  });
  reason.focus();
  cancel.addEventListener("click", () => dialog.close());
  send.addEventListener("click", async () => {
    send.disabled = true;
    try {
      await chatApi.reportMessage(message.id, reason.value.trim());
      toasts.info(t("report.done"));
    } catch (error) {
      toasts.error(explain(error));
    }
    dialog.close();
  });
}
