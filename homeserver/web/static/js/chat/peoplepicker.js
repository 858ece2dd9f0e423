import { debounce, h, icon, randomId } from "../client/dom.js";
import { t } from "../i18n.js";
import { avatar } from "../ui/avatar.js";
import { explain } from "./explain.js";

const SEARCH_PAUSE_MS = 250;

/**
 * Choose people by searching for them: a text field with a list below it, for the keyboard and for the pointer.
 */
export class PeoplePicker {
  #context;
  #excluded;
  #onChange;
  #isMultiple = true;
  /** @type {Map<number, import("./people.js").Face>} */
  #chosen = new Map();
  /** @type {import("../chatapi.js").ChatUser[]} */
  #found = [];
  #active = 0;
  /** @type {AbortController | null} */
  #searching = null;
  #id = randomId();

  /**
   * @param {import("./context.js").ChatContext} context
   * @param {{excluded: number[], onChange: () => void}} options
   */
  constructor(context, { excluded, onChange }) {
    this.#context = context;
    this.#excluded = new Set([...excluded, context.people.ownId]);
    this.#onChange = onChange;
    const search = debounce(SEARCH_PAUSE_MS, () => void this.search());
    this.field = h("input", {
      type: "text",
      class: "input",
      id: `people-${this.#id}`,
      role: "combobox",
      "aria-expanded": "true",
      "aria-autocomplete": "list",
      "aria-controls": `options-${this.#id}`,
      placeholder: t("people.search"),
      autocomplete: "off",
      on: { input: search, keydown: (/** @type {Event} */ event) => this.#key(/** @type {KeyboardEvent} */ (event)) },
    });
    this.#chips = h("div", { class: "chips", role: "group", "aria-label": t("people.chosen") });
    this.#options = h("div", { class: "options", role: "listbox", id: `options-${this.#id}`, "aria-label": t("people.label"), "aria-multiselectable": "true" });
    this.#state = h("p", { class: "options-state", role: "status" });
    this.element = h("div", { class: "people-picker" }, h("label", { for: this.field.id }, t("people.label")), this.#chips, this.field, this.#state, this.#options);
    void this.search();
  }

  /** @type {HTMLElement} */ #chips;
  /** @type {HTMLElement} */ #options;
  /** @type {HTMLElement} */ #state;

  /** @returns {number[]} */
  get chosen() {
    return [...this.#chosen.keys()];
  }

  /** Whether several people may be chosen. @param {boolean} isMultiple */
  setMultiple(isMultiple) {
    this.#isMultiple = isMultiple;
    if (!isMultiple) this.#chosen = new Map([...this.#chosen].slice(0, 1));
    this.#draw();
    this.#onChange();
  }

  async search() {
    this.#searching?.abort();
    const searching = new AbortController();
    this.#searching = searching;
    this.#state.textContent = this.#found.length > 0 ? "" : t("loading");
    try {
      const users = await this.#context.chatApi.people(this.field.value.trim(), searching.signal);
      if (searching.signal.aborted) return;
      this.#context.people.addUsers(users);
      this.#found = users.filter((user) => !this.#excluded.has(user.id));
      this.#active = 0;
      this.#draw();
      this.#state.textContent = this.#found.length > 0 ? "" : t("people.nobody");
    } catch (error) {
      if (!searching.signal.aborted) this.#state.textContent = explain(error);
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const count = this.#found.length;
    if (event.key === "ArrowDown" && count) this.#active = (this.#active + 1) % count;
    else if (event.key === "ArrowUp" && count) this.#active = (this.#active + count - 1) % count;
    else if (event.key === "Enter" && count) this.#toggle(this.#found[this.#active].id);
    else if (event.key === "Backspace" && !this.field.value && this.#chosen.size > 0) this.#toggle(this.chosen[this.chosen.length - 1]);
    else return;
    event.preventDefault();
    this.#draw();
    this.#options.querySelector(".is-active")?.scrollIntoView({ block: "nearest" });
  }

  /** @param {number} userId */
  #toggle(userId) {
    const wasChosen = this.#chosen.delete(userId);
    if (!wasChosen) {
      if (!this.#isMultiple) this.#chosen.clear();
      this.#chosen.set(userId, this.#context.people.face(userId));
      if (this.field.value) {
        this.field.value = "";
        void this.search();
      }
    }
    this.#draw();
    this.#onChange();
  }

  #draw() {
    this.#options.replaceChildren(...this.#found.map((user, index) => this.#option(user.id, index)));
    this.field.setAttribute("aria-activedescendant", this.#found.length > 0 ? `option-${this.#id}-${this.#active}` : "");
    const remove = (/** @type {number} */ userId) => {
      this.#toggle(userId);
      this.field.focus();
    };
    this.#chips.hidden = this.#chosen.size === 0;
    this.#chips.replaceChildren(
      ...[...this.#chosen].map(([userId, face]) =>
        h("button", { type: "button", class: "chip", "aria-label": t("people.remove", { name: face.name }), on: { click: () => remove(userId) } }, h("bdi", null, face.name), icon("close", 14)),
      ),
    );
  }

  /** @param {number} userId @param {number} index */
  #option(userId, index) {
    const face = this.#context.people.face(userId);
    const isChosen = this.#chosen.has(userId);
    const choose = () => {
      this.#active = index;
      this.#toggle(userId);
      this.field.focus();
    };
    return h(
      "div",
      { class: `option ${index === this.#active ? "is-active" : ""}`, role: "option", id: `option-${this.#id}-${index}`, "aria-selected": String(isChosen), on: { click: choose, pointerdown: (/** @type {Event} */ event) => event.preventDefault() } },
      avatar({ name: face.name, key: face.name, url: face.avatar, size: "small" }),
      h("span", { class: "option-text" }, h("span", { class: "option-name", dir: "auto" }, face.name), face.detail && h("span", { class: "option-detail", dir: "auto" }, face.detail)),
      h("span", { class: "option-mark", "aria-hidden": "true" }, isChosen && icon("check", 18)),
    );
  }
}
