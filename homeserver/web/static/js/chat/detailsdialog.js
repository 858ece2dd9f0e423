import { h } from "../client/dom.js";
import { t } from "../i18n.js";
import { openDialog } from "../ui/dialog.js";
import { explain } from "./explain.js";

const LONGEST_TITLE = 200;
const LONGEST_DESCRIPTION = 2000;

/**
 * Change the title and description of a group.
 *
 * @param {import("./context.js").ChatContext} context
 * @param {import("../chatapi.js").Conversation} conversation
 */
export function openDetailsDialog({ chatApi, conversations }, conversation) {
  const title = h("input", { type: "text", class: "input", id: "details-title", maxlength: LONGEST_TITLE, value: conversation.title ?? "" });
  const description = h("textarea", { class: "input", id: "details-description", rows: 3, maxlength: LONGEST_DESCRIPTION, value: conversation.description ?? "" });
  const problem = h("p", { class: "notice notice-error", role: "alert", hidden: true });
  const save = h("button", { type: "button", class: "button button-primary" }, t("action.save"));
  const cancel = h("button", { type: "button", class: "button" }, t("action.cancel"));
  const dialog = openDialog({
    title: t("panel.edit"),
    content: [
      h("div", { class: "field" }, h("label", { for: title.id }, t("create.group_title")), title),
      h("div", { class: "field" }, h("label", { for: description.id }, t("panel.description")), description),
      problem,
    ],
    actions: [cancel, save],
  });
  title.focus();
  title.select();
  title.addEventListener("input", () => (save.disabled = title.value.trim() === ""));
  cancel.addEventListener("click", () => dialog.close());
  save.addEventListener("click", async () => {
    save.disabled = true;
    try {
      const change = { title: title.value.trim(), description: description.value.trim() };
      conversations.put(await chatApi.changeConversation(conversation.id, change));
      dialog.close();
    } catch (error) {
      problem.textContent = explain(error);
      problem.hidden = false;
      save.disabled = false;
    }
  });
}
