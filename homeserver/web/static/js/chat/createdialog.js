import { h } from "../client/dom.js";
import { t } from "../i18n.js";
import { openDialog } from "../ui/dialog.js";
import { explain } from "./explain.js";
import { PeoplePicker } from "./peoplepicker.js";

const LONGEST_TITLE = 200;

/**
 * Ask with whom to talk, and make the conversation.
 *
 * @param {import("./context.js").ChatContext} context
 * @param {(conversation: import("../chatapi.js").Conversation) => void} onCreated
 */
export function openCreateDialog(context, onCreated) {
  /** @type {"private" | "group"} */
  let type = "private";
  const title = h("input", { type: "text", class: "input", id: "create-title", maxlength: LONGEST_TITLE, autocomplete: "off", on: { input: () => update() } });
  const titleField = h("div", { class: "field", hidden: true }, h("label", { for: title.id }, t("create.group_title")), title);
  const problem = h("p", { class: "notice notice-error", role: "alert", hidden: true });
  const create = h("button", { type: "button", class: "button button-primary", disabled: true }, t("create.submit"));
  const cancel = h("button", { type: "button", class: "button" }, t("action.cancel"));
  const picker = new PeoplePicker(context, { excluded: [], onChange: () => update() });
  const kinds = kindSwitch((chosen) => {
    type = chosen;
    titleField.hidden = type === "private";
    picker.setMultiple(type === "group");
    update();
  });
  const update = () => {
    const isComplete = type === "group" ? title.value.trim() !== "" : picker.chosen.length === 1;
    create.disabled = !isComplete;
  };
  picker.setMultiple(false);
  const dialog = openDialog({ title: t("create.title"), content: [kinds, titleField, picker.element, problem], actions: [cancel, create], className: "dialog-create" });
  picker.field.focus();
  cancel.addEventListener("click", () => dialog.close());
  const submit = async () => {
    if (create.disabled) return;
    create.disabled = true;
    create.setAttribute("aria-busy", "true");
    problem.hidden = true;
    const group = type === "group" ? { title: title.value.trim() } : {};
    try {
      const conversation = await context.chatApi.createConversation({ type, participant_ids: picker.chosen, ...group });
      dialog.close();
      onCreated(conversation);
    } catch (error) {
      problem.textContent = explain(error);
      problem.hidden = false;
      update();
    } finally {
      create.removeAttribute("aria-busy");
    }
  };
  create.addEventListener("click", () => void submit());
  title.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) void submit();
  });
}

/** @param {(kind: "private" | "group") => void} onChoose */
function kindSwitch(onChoose) {
  const option = (/** @type {"private" | "group"} */ kind) =>
    h(
      "label",
      { class: "segment" },
      h("input", { type: "radio", name: "kind", value: kind, checked: kind === "private", on: { change: () => onChoose(kind) } }),
      h("span", null, t(`create.${kind}`)),
    );
  return h("fieldset", { class: "segments" }, h("legend", { class: "visually-hidden" }, t("create.kind")), option("private"), option("group"));
}
