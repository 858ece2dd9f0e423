import { arrange, debounce, h, icon, iconButton, show } from "../client/dom.js";
import { t } from "../i18n.js";
import { conversationItem } from "./conversationitem.js";
import { explain } from "./explain.js";
import { otherOf, titleOf } from "./header.js";
import { emptyState, errorState, listSkeleton } from "./states.js";

const SEARCH_PAUSE_MS = 250;
const REDRAW_MS = 60000;

/**
 * @typedef {import("../chatapi.js").Conversation} Conversation
 * @typedef {import("./context.js").ChatContext} ChatContext
 */

/** The list of conversations, with its search and the way to new ones. */
export class ChatSelect {
  #context;
  #onSelect;
  #onCreate;
  /** @type {string | null} */
  #selectedId = null;
  #search = "";
  /** What the server found; null while there is nothing searched for. @type {Conversation[] | null} */
  #found = null;
  /** @type {string | null} */
  #error = null;
  /** @type {AbortController | null} */
  #searching = null;
  /** @type {Map<string, {element: HTMLElement, key: string}>} */
  #items = new Map();

  /**
   * @param {ChatContext} context
   * @param {{onSelect: (id: string) => void, onCreate: () => void, menuButton: HTMLElement}} options
   */
  constructor(context, { onSelect, onCreate, menuButton }) {
    this.#context = context;
    this.#onSelect = onSelect;
    this.#onCreate = onCreate;
    const search = debounce(SEARCH_PAUSE_MS, () => void this.#searchServer());
    this.searchField = h("input", {
      type: "search",
      class: "search-field",
      placeholder: t("list.search"),
      "aria-label": t("list.search"),
      autocomplete: "off",
      on: {
        input: () => {
          this.#search = this.searchField.value.trim();
          this.#found = null;
          this.#searching?.abort();
          search();
          this.draw();
        },
        keydown: (/** @type {Event} */ event) => this.#searchKey(/** @type {KeyboardEvent} */ (event)),
      },
    });
    this.#list = h("div", { class: "items", role: "list", "aria-label": t("list.label"), on: { keydown: (/** @type {Event} */ event) => this.#key(/** @type {KeyboardEvent} */ (event)) } });
    this.#state = h("div", { class: "items-state" });
    this.#end = h("div", { class: "items-end", "aria-hidden": "true" });
    this.element = h(
      "nav",
      { class: "sidebar", "aria-label": t("list.region") },
      h("header", { class: "sidebar-head" }, menuButton, h("h2", { class: "sidebar-title" }, t("list.title")), iconButton("edit", t("create.open"), onCreate, { class: "create-open" })),
      h("div", { class: "search" }, icon("search", 18), this.searchField),
      h("div", { class: "items-scroller" }, this.#list, this.#state, this.#end),
    );
    this.#watchEnd();
    context.conversations.on("change", () => this.draw());
    context.people.on("change", () => this.draw());
    setInterval(() => this.draw(), REDRAW_MS);
    this.draw();
  }

  /** @type {HTMLElement} */ #list;
  /** @type {HTMLElement} */ #state;
  /** @type {HTMLElement} */ #end;

  /** @param {string | null} id */
  select(id) {
    this.#selectedId = id;
    this.draw();
  }

  /** The list could not be loaded. @param {string | null} text */
  setError(text) {
    this.#error = text;
    this.draw();
  }

  draw() {
    const shown = this.#shown();
    const keys = new Set(shown.map((one) => one.id));
    for (const [id, item] of this.#items) {
      if (keys.has(id)) continue;
      item.element.remove();
      this.#items.delete(id);
    }
    const elements = shown.map((one) => this.#elementFor(one));
    arrange(this.#list, elements);
    this.#setTabStop();
    this.#drawState(shown.length);
  }

  /** @returns {Conversation[]} */
  #shown() {
    const { conversations } = this.#context;
    if (!this.#search) return conversations.list;
    if (this.#found) return this.#found.map((one) => conversations.get(one.id) ?? one);
    const wanted = this.#search.toLocaleLowerCase();
    return conversations.list.filter((one) => titleOf(one).toLocaleLowerCase().includes(wanted));
  }

  /** @param {Conversation} conversation */
  #elementFor(conversation) {
    const { people, typing, online, drafts } = this.#context;
    const other = otherOf(conversation, people.ownId);
    const isSelected = conversation.id === this.#selectedId;
    const last = conversation.last_message;
    const look = {
      people,
      typing: typing.in(conversation.id),
      isSelected,
      isOnline: other !== null && online.has(other),
      draft: isSelected ? "" : (drafts.get(conversation.id)?.text.trim().slice(0, 100) ?? ""),
    };
    const faces = [other === null ? null : people.face(other), last && people.isKnown(last.sender_id) ? people.shortName(last.sender_id) : ""];
    const { participants: _, ...facts } = conversation;
    const key = JSON.stringify([facts, look.typing, isSelected, look.isOnline, look.draft, faces, new Date().toDateString()]);
    const known = this.#items.get(conversation.id);
    if (known?.key === key) return known.element;
    const element = h("div", { class: "item-frame", role: "listitem" }, conversationItem(conversation, look, this.#onSelect));
    if (known) {
      const hadFocus = known.element.contains(document.activeElement);
      known.element.replaceWith(element);
      if (hadFocus) /** @type {HTMLElement} */ (element.firstElementChild).focus({ preventScroll: true });
    }
    this.#items.set(conversation.id, { element, key });
    return element;
  }

  /** @param {number} count */
  #drawState(count) {
    const { conversations } = this.#context;
    const name = count > 0 ? "" : this.#error ? `error ${this.#error}` : !conversations.isLoaded ? "loading" : this.#search ? (this.#found ? "nothing" : "searching") : "empty";
    if (this.#state.dataset.name === name) return;
    this.#state.dataset.name = name;
    this.#state.replaceChildren(...this.#stateContent(name));
    show(this.#state, name !== "");
  }

  /** @param {string} name @returns {Node[]} */
  #stateContent(name) {
    if (name === "loading" || name === "searching") return [listSkeleton()];
    if (name === "nothing") return [emptyState("search", t("empty.search"), t("empty.search_text"))];
    if (name === "empty") {
      const button = h("button", { type: "button", class: "button button-primary", on: { click: this.#onCreate } }, t("create.open"));
      return [emptyState("chat", t("empty.list"), t("empty.list_text"), button)];
    }
    if (name.startsWith("error")) return [errorState(this.#error ?? "", () => void this.#reload())];
    return [];
  }

  async #reload() {
    this.setError(null);
    try {
      await this.#context.conversations.refresh();
    } catch (error) {
      this.setError(explain(error));
    }
  }

  async #searchServer() {
    const wanted = this.#search;
    if (!wanted) return;
    const searching = new AbortController();
    this.#searching = searching;
    try {
      this.#found = await this.#context.chatApi.conversations({ search: wanted, limit: 50 }, searching.signal);
    } catch (error) {
      if (searching.signal.aborted) return;
      this.#context.toasts.error(explain(error));
    }
    if (!searching.signal.aborted) this.draw();
  }

  /** @param {KeyboardEvent} event */
  #searchKey(event) {
    if (event.key === "Escape" && this.searchField.value) {
      event.stopPropagation();
      this.searchField.value = "";
      this.searchField.dispatchEvent(new Event("input"));
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      this.#buttons()[0]?.focus();
    } else if (event.key === "Enter") {
      this.#buttons()[0]?.click();
    }
  }

  /** Arrow keys move in the list, which is one stop for the Tab key. @param {KeyboardEvent} event */
  #key(event) {
    const buttons = this.#buttons();
    const index = buttons.findIndex((button) => button === document.activeElement);
    const moves = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: buttons.length - 1 };
    const next = moves[/** @type {keyof typeof moves} */ (event.key)];
    if (next === undefined) return;
    event.preventDefault();
    if (next < 0) this.searchField.focus();
    else buttons[Math.min(next, buttons.length - 1)]?.focus();
    this.#setTabStop();
  }

  #buttons() {
    return /** @type {HTMLButtonElement[]} */ ([...this.#list.querySelectorAll(".item")]);
  }

  #setTabStop() {
    const buttons = this.#buttons();
    const stop = buttons.find((one) => one === document.activeElement) ?? buttons.find((one) => one.getAttribute("aria-current")) ?? buttons[0];
    for (const button of buttons) button.tabIndex = button === stop ? 0 : -1;
  }

  #watchEnd() {
    const observer = new IntersectionObserver(
      async (entries) => {
        const { conversations, toasts } = this.#context;
        if (!entries.some((entry) => entry.isIntersecting) || this.#search || !conversations.hasMore) return;
        try {
          await conversations.loadMore();
        } catch (error) {
          toasts.error(explain(error));
        }
      },
      { rootMargin: "400px" },
    );
    observer.observe(this.#end);
  }
}
