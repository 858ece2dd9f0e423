import { h, icon, iconButton } from "../client/dom.js";
import { fullDate } from "../format.js";
import { t } from "../i18n.js";
import { avatar } from "../ui/avatar.js";
import { confirmDialog, openDialog } from "../ui/dialog.js";
import { openDetailsDialog } from "./detailsdialog.js";
import { explain } from "./explain.js";
import { otherOf, titleOf } from "./header.js";
import { PeoplePicker } from "./peoplepicker.js";

/**
 * @typedef {import("../chatapi.js").Conversation} Conversation
 * @typedef {import("../chatapi.js").Participant} Participant
 * @typedef {import("./context.js").ChatContext} ChatContext
 */

/** Beside a conversation: who takes part, and what can be done with it. */
export class ParticipantsPanel {
  #context;
  #id;
  #onClose;
  #key = "";
  /** Whether we have blocked the other person of a private conversation; null: not known yet. @type {boolean | null} */
  #isBlocked = null;

  /**
   * @param {ChatContext} context
   * @param {string} conversationId
   * @param {() => void} onClose
   */
  constructor(context, conversationId, onClose) {
    this.#context = context;
    this.#id = conversationId;
    this.#onClose = onClose;
    this.#body = h("div", { class: "panel-body" });
    this.element = h(
      "section",
      { class: "panel", id: "panel", "aria-label": t("panel.title"), on: { keydown: (/** @type {Event} */ event) => this.#keydown(/** @type {KeyboardEvent} */ (event)) } },
      h("header", { class: "panel-head" }, iconButton("close", t("action.close"), onClose, { class: "panel-close" }), h("h2", null, t("panel.title"))),
      this.#body,
    );
    this.draw();
    void this.reload();
  }

  /** @type {HTMLElement} */ #body;

  focus() {
    /** @type {HTMLElement | null} */ (this.element.querySelector(".panel-close"))?.focus();
  }

  async reload() {
    try {
      const conversation = await this.#context.conversations.load(this.#id);
      if (!conversation.participants) {
        const participants = await this.#context.chatApi.participants(this.#id);
        this.#context.conversations.put({ ...conversation, participants });
      }
      this.#context.people.addParticipants(this.#context.conversations.get(this.#id)?.participants ?? []);
      await this.#readBlocked();
    } catch (error) {
      this.#context.toasts.error(explain(error));
    }
  }

  draw() {
    const conversation = this.#context.conversations.get(this.#id);
    if (!conversation) return;
    const here = (conversation.participants ?? []).filter((one) => this.#context.online.has(one.user_id)).length;
    const key = JSON.stringify([conversation.title, conversation.description, conversation.participants, here, this.#isBlocked]);
    if (key === this.#key) return;
    this.#key = key;
    const focusedId = document.activeElement instanceof HTMLElement && this.#body.contains(document.activeElement) ? document.activeElement.dataset.focusId : undefined;
    this.#body.replaceChildren(this.#about(conversation), this.#people(conversation), this.#endings(conversation));
    if (focusedId) /** @type {HTMLElement | null} */ (this.#body.querySelector(`[data-focus-id="${CSS.escape(focusedId)}"]`))?.focus();
  }

  /** @param {Conversation} conversation */
  #about(conversation) {
    const title = titleOf(conversation);
    const isGroup = conversation.type === "group";
    const other = otherOf(conversation, this.#context.people.ownId);
    const canEdit = isGroup && this.#context.isAdmin(conversation);
    return h(
      "section",
      { class: "panel-about" },
      avatar({ name: title, key: isGroup ? conversation.id : title, shape: isGroup ? "group" : "person", size: "huge", url: other === null ? null : this.#context.people.face(other).avatar }),
      h("h3", { dir: "auto" }, title),
      h("p", { class: "panel-since" }, t("panel.since", { date: fullDate(conversation.created_at) })),
      conversation.description && h("p", { class: "panel-description", dir: "auto" }, conversation.description),
      canEdit &&
        h("button", { type: "button", class: "button", dataset: { focusId: "edit" }, on: { click: () => openDetailsDialog(this.#context, conversation) } }, icon("edit", 18), t("panel.edit")),
    );
  }

  /** @param {Conversation} conversation */
  #people(conversation) {
    const participants = conversation.participants ?? [];
    const isAdmin = this.#context.isAdmin(conversation);
    const canAdd = conversation.type === "group" && isAdmin;
    const rows = [...participants].sort(byRoleAndName(this.#context)).map((one) => this.#person(conversation, one, isAdmin));
    return h(
      "section",
      { class: "panel-people", "aria-labelledby": "panel-people" },
      h(
        "header",
        { class: "panel-section-head" },
        h("h3", { id: "panel-people" }, t("conversation.members", { count: participants.length })),
        canAdd && iconButton("userPlus", t("people.add"), () => this.#addPeople(participants), { dataset: { focusId: "add" } }),
      ),
      h("ul", { class: "people" }, rows),
    );
  }

  /** @param {Conversation} conversation @param {Participant} participant @param {boolean} isAdmin */
  #person(conversation, participant, isAdmin) {
    const { people, online } = this.#context;
    const face = people.face(participant.user_id);
    const isMe = participant.user_id === people.ownId;
    const canRemove = isAdmin && !isMe && conversation.type === "group";
    return h(
      "li",
      { class: "person", dataset: { userId: participant.user_id } },
      h("span", { class: `item-picture ${online.has(participant.user_id) ? "is-online" : ""}` }, avatar({ name: face.name, key: face.name, url: face.avatar })),
      h(
        "span",
        { class: "person-text" },
        h("span", { class: "person-name" }, h("bdi", null, face.name), isMe && h("span", { class: "person-you" }, ` (${t("message.you").toLocaleLowerCase()})`)),
        conversation.type === "group" && participant.role === "admin" && h("span", { class: "person-role" }, icon("crown", 14), t("person.admin")),
      ),
      canRemove && iconButton("close", t("people.remove_from", { name: face.name }), () => void this.#remove(participant, face.name), { class: "person-remove" }),
    );
  }

  /** @param {Conversation} conversation */
  #endings(conversation) {
    const isAdmin = this.#context.isAdmin(conversation);
    const isGroup = conversation.type === "group";
    const button = (/** @type {"leave" | "close"} */ name, /** @type {() => Promise<unknown>} */ action) =>
      h(
        "button",
        { type: "button", class: "button button-quiet-danger", on: { click: () => void this.#end(name, action) } },
        icon(name === "leave" ? "logout" : "trash", 18),
        t(`${name}.open`),
      );
    const { chatApi, people } = this.#context;
    const other = otherOf(conversation, people.ownId);
    return h(
      "section",
      { class: "panel-endings" },
      other !== null && this.#isBlocked !== null && this.#blockButton(other, this.#isBlocked),
      isGroup && button("leave", () => (isAdmin ? chatApi.removeParticipant(this.#id, people.ownId) : chatApi.deleteConversation(this.#id))),
      isAdmin && button("close", () => chatApi.deleteConversation(this.#id)),
    );
  }

  /** @param {number} other @param {boolean} isBlocked */
  #blockButton(other, isBlocked) {
    return h(
      "button",
      { type: "button", class: `button ${isBlocked ? "" : "button-quiet-danger"}`, dataset: { focusId: "block" }, on: { click: () => void this.#block(other, !isBlocked) } },
      icon("block", 18),
      t(isBlocked ? "block.undo" : "block.open"),
    );
  }

  async #readBlocked() {
    const conversation = this.#context.conversations.get(this.#id);
    const other = conversation ? otherOf(conversation, this.#context.people.ownId) : null;
    if (other === null) return;
    const blocked = await this.#context.chatApi.blocked();
    this.#isBlocked = blocked.some((one) => one.id === other);
    this.draw();
  }

  /** @param {number} other @param {boolean} isBlocked */
  async #block(other, isBlocked) {
    const { chatApi, people, toasts } = this.#context;
    const { name } = people.face(other);
    if (isBlocked && !(await confirmDialog({ title: t("block.title", { name }), text: t("block.text"), confirm: t("block.open") }))) return;
    try {
      await chatApi.setBlocked(other, isBlocked);
      this.#isBlocked = isBlocked;
      this.draw();
      toasts.info(t(isBlocked ? "block.done" : "block.undone", { name }));
    } catch (error) {
      toasts.error(explain(error));
    }
  }

  /** @param {"leave" | "close"} name @param {() => Promise<unknown>} action */
  async #end(name, action) {
    if (!(await confirmDialog({ title: t(`${name}.title`), text: t(`${name}.text`), confirm: t(`${name}.confirm`) }))) return;
    try {
      await action();
      this.#context.conversations.remove(this.#id);
      this.#context.toasts.info(t(`${name}.done`));
    } catch (error) {
      this.#context.toasts.error(explain(error));
    }
  }

  /** @param {Participant} participant @param {string} name */
  async #remove(participant, name) {
    const isSure = await confirmDialog({ title: t("people.remove_title"), text: t("people.remove_text", { name }), confirm: t("people.remove_confirm") });
    if (!isSure) return;
    try {
      await this.#context.chatApi.removeParticipant(this.#id, participant.user_id);
      await this.reload();
    } catch (error) {
      this.#context.toasts.error(explain(error));
    }
    this.focus();
  }

  /** @param {Participant[]} participants */
  #addPeople(participants) {
    const add = h("button", { type: "button", class: "button button-primary", disabled: true }, t("people.add"));
    const cancel = h("button", { type: "button", class: "button" }, t("action.cancel"));
    const excluded = participants.map((one) => one.user_id);
    const picker = new PeoplePicker(this.#context, { excluded, onChange: () => (add.disabled = picker.chosen.length === 0) });
    const dialog = openDialog({ title: t("people.add"), content: [picker.element], actions: [cancel, add], className: "dialog-create" });
    picker.field.focus();
    cancel.addEventListener("click", () => dialog.close());
    add.addEventListener("click", async () => {
      add.disabled = true;
      try {
        for (const userId of picker.chosen) await this.#context.chatApi.addParticipant(this.#id, userId);
        dialog.close();
      } catch (error) {
        this.#context.toasts.error(explain(error));
        add.disabled = false;
      }
      await this.reload();
    });
  }

  /** @param {KeyboardEvent} event */
  #keydown(event) {
    if (event.key === "Escape") this.#onClose();
  }
}

/** @param {ChatContext} context */
function byRoleAndName({ people }) {
  return (/** @type {Participant} */ a, /** @type {Participant} */ b) => {
    if (a.role !== b.role) return a.role === "admin" ? -1 : 1;
    return people.face(a.user_id).name.localeCompare(people.face(b.user_id).name);
  };
}
