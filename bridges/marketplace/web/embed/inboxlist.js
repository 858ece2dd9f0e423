import { arrange, debounce, h, icon, show } from "../client/dom.js";
import { badge, buyerName, chatRow } from "./inboxrow.js";

const PAGE_ROWS = 40;
const SEARCH_PAUSE_MS = 120;
const REDRAW_MS = 60000;

/**
 * @typedef {import("./chatlist.js").Group} Group
 * @typedef {import("./market.js").Chat} Chat
 * @typedef {import("./inbox.js").Context} Context
 */

/** The chats by listing, with a search. However many there are, the page holds as many rows as were scrolled to. */
export class InboxList {
  #context;
  #onOpen;
  #onHide;
  #search = "";
  #most = PAGE_ROWS;
  /** @type {number | null} */
  #openId = null;
  /** @type {Map<number, {element: HTMLElement, key: string}>} */
  #rows = new Map();
  /** @type {Map<string, {element: HTMLElement, list: HTMLElement, count: HTMLElement, key: string}>} */
  #groups = new Map();
  #drawing = 0;
  #timer = 0;
  #observer;

  /**
   * @param {Context} context
   * @param {{onOpen: (id: number) => void, onHide: (id: number) => void}} actions
   */
  constructor(context, { onOpen, onHide }) {
    this.#context = context;
    this.#onOpen = onOpen;
    this.#onHide = onHide;
    const { texts, chats } = context;
    const search = debounce(SEARCH_PAUSE_MS, () => this.#find());
    this.field = h("input", {
      type: "search",
      class: "search-field",
      placeholder: texts.t("inbox.search"),
      "aria-label": texts.t("inbox.search"),
      autocomplete: "off",
      on: { input: search, keydown: (/** @type {Event} */ event) => this.#searchKey(/** @type {KeyboardEvent} */ (event)) },
    });
    this.#list = h("div", { class: "groups", on: { keydown: (/** @type {Event} */ event) => this.#key(/** @type {KeyboardEvent} */ (event)) } });
    this.#state = h("div", { class: "inbox-state", role: "status" });
    this.#end = h("div", { class: "groups-end", "aria-hidden": "true" });
    this.#scroller = h("div", { class: "inbox-scroller" }, this.#list, this.#state, this.#end);
    this.element = h("div", { class: "inbox-chats" }, h("div", { class: "search" }, icon("search", 18), this.field), this.#scroller);
    this.#observer = new IntersectionObserver((entries) => this.#reachedEnd(entries), { root: this.#scroller, rootMargin: "400px" });
    this.#observer.observe(this.#end);
    this.#timer = setInterval(() => this.#drawSoon(), REDRAW_MS);
    this.#unhear = chats.on("change", () => this.#drawSoon());
    this.#draw();
  }

  /** @type {HTMLElement} */ #list;
  /** @type {HTMLElement} */ #state;
  /** @type {HTMLElement} */ #end;
  /** @type {HTMLElement} */ #scroller;
  /** @type {() => void} */ #unhear;

  destroy() {
    clearInterval(this.#timer);
    cancelAnimationFrame(this.#drawing);
    this.#observer.disconnect();
    this.#unhear();
  }

  /** @param {number | null} id the chat that is open beside the list */
  select(id) {
    this.#openId = id;
    this.#draw();
  }

  /** Put the focus on a chat, or near to where it was. @param {number | null} id */
  focus(id) {
    const row = id === null ? null : this.#rows.get(id)?.element.querySelector("button");
    (row ?? this.#buttons()[0] ?? this.field).focus({ preventScroll: Boolean(row) });
  }

  /** Many changes in a row are drawn once. */
  #drawSoon() {
    if (this.#drawing) return;
    this.#drawing = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = 0;
    const groups = this.#shown();
    const drawn = new Set();
    const elements = groups.map((group) => this.#group(group, drawn));
    for (const [id, { element }] of this.#rows) {
      if (drawn.has(id)) continue;
      element.remove();
      this.#rows.delete(id);
    }
    const listings = new Set(groups.map((group) => group.listing));
    for (const [listing, { element }] of this.#groups) {
      if (listings.has(listing)) continue;
      element.remove();
      this.#groups.delete(listing);
    }
    arrange(this.#list, elements);
    this.#setTabStop();
    this.#drawState(drawn.size);
  }

  /** As many as have been scrolled to. @returns {Group[]} */
  #shown() {
    let left = this.#most;
    const groups = [];
    for (const group of this.#found()) {
      if (left <= 0) break;
      groups.push(group.chats.length <= left ? group : { ...group, chats: group.chats.slice(0, left) });
      left -= group.chats.length;
    }
    return groups;
  }

  /** @returns {Group[]} */
  #found() {
    const { chats, texts, listingTitle } = this.#context;
    const wanted = this.#search;
    if (!wanted) return chats.groups();
    const has = (/** @type {string | null} */ text) => (text ?? "").toLocaleLowerCase().includes(wanted);
    const found = chats.groups().map((group) => {
      if (has(listingTitle(group.listing))) return group;
      return { ...group, chats: group.chats.filter((chat) => has(buyerName(chat, texts)) || has(chat.last_message)) };
    });
    return found.filter((group) => group.chats.length > 0);
  }

  /** @param {Group} group @param {Set<number>} drawn the chats that are on the page */
  #group(group, drawn) {
    const { texts, listingTitle } = this.#context;
    const known = this.#groups.get(group.listing) ?? this.#newGroup(group.listing);
    const key = `${group.unread} ${listingTitle(group.listing)}`;
    if (known.key !== key) {
      known.key = key;
      known.count.replaceChildren(...(group.unread > 0 ? [badge(group.unread, texts)] : []));
    }
    arrange(known.list, group.chats.map((chat) => this.#row(chat)));
    for (const chat of group.chats) drawn.add(chat.id);
    return known.element;
  }

  /** @param {string} listing */
  #newGroup(listing) {
    const list = h("ul", { class: "rows", "aria-labelledby": `listing-${listing}` });
    const count = h("span", { class: "group-count" });
    const title = h("h3", { class: "group-title", id: `listing-${listing}` }, h("bdi", null, this.#context.listingTitle(listing)));
    const element = h("section", { class: "group", dataset: { listing } }, h("header", { class: "group-head" }, title, count), list);
    const group = { element, list, count, key: "" };
    this.#groups.set(listing, group);
    return group;
  }

  /** @param {Chat} chat */
  #row(chat) {
    const { texts, online } = this.#context;
    const isOpen = chat.id === this.#openId;
    const isOnline = online.has(chat.id);
    const key = JSON.stringify([chat, isOpen, isOnline, new Date().toDateString()]);
    const known = this.#rows.get(chat.id);
    if (known?.key === key) return known.element;
    const element = chatRow(chat, { texts, isOpen, isOnline, onOpen: this.#onOpen, onHide: this.#onHide });
    if (known) {
      const hadFocus = known.element.contains(this.#focused());
      known.element.replaceWith(element);
      if (hadFocus) element.querySelector("button")?.focus({ preventScroll: true });
    }
    this.#rows.set(chat.id, { element, key });
    return element;
  }

  /** @param {number} count */
  #drawState(count) {
    const { chats } = this.#context;
    const name = count > 0 ? "" : chats.error ? "error" : !chats.isLoaded ? "loading" : this.#search ? "nothing" : "empty";
    show(this.#state, name !== "");
    show(/** @type {HTMLElement} */ (this.field.parentElement), count > 0 || this.#search !== "");
    if (this.#state.dataset.name === name) return;
    this.#state.dataset.name = name;
    this.#state.replaceChildren(...this.#stateContent(name));
  }

  /** @param {string} name @returns {Node[]} */
  #stateContent(name) {
    const { texts, chats } = this.#context;
    if (name === "loading") return [h("span", { class: "visually-hidden" }, texts.t("inbox.loading")), skeleton()];
    if (name === "") return [];
    const retry = () => void chats.retry();
    return [
      icon(name === "error" ? "offline" : name === "nothing" ? "search" : "chat", 34),
      h("p", { class: "state-title" }, texts.t(`inbox.${name}`)),
      h("p", null, name === "error" ? texts.explain(chats.error) : texts.t(`inbox.${name}_text`)),
      ...(name === "error" ? [h("button", { type: "button", class: "button", on: { click: retry } }, texts.t("action.retry"))] : []),
    ];
  }

  #find() {
    this.#search = this.field.value.trim().toLocaleLowerCase();
    this.#most = PAGE_ROWS;
    this.#scroller.scrollTop = 0;
    this.#draw();
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #reachedEnd(entries) {
    if (!entries.some((entry) => entry.isIntersecting) || this.#rows.size < this.#most) return;
    this.#most += PAGE_ROWS;
    this.#draw();
    // Tells again whether the end is in sight, which it still may be.
    this.#observer.unobserve(this.#end);
    this.#observer.observe(this.#end);
  }

  /** @param {KeyboardEvent} event */
  #searchKey(event) {
    if (event.key === "Escape" && this.field.value) {
      event.stopPropagation();
      this.field.value = "";
      this.#find();
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      this.#buttons()[0]?.focus();
    }
  }

  /** Arrow keys move in the list, which is one stop for the Tab key. @param {KeyboardEvent} event */
  #key(event) {
    const buttons = this.#buttons();
    const row = this.#focused()?.closest(".item-frame")?.querySelector(".item");
    const index = buttons.findIndex((button) => button === row);
    const moves = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: buttons.length - 1 };
    const next = moves[/** @type {keyof typeof moves} */ (event.key)];
    if (next === undefined) return;
    event.preventDefault();
    if (next < 0) this.field.focus();
    else buttons[Math.min(next, buttons.length - 1)]?.focus();
    this.#setTabStop();
  }

  #buttons() {
    return /** @type {HTMLButtonElement[]} */ ([...this.#list.querySelectorAll(".item")]);
  }

  /** One row can be reached by Tab, and the button that hides it. */
  #setTabStop() {
    const rows = [...this.#list.querySelectorAll(".item-frame")];
    const focused = this.#focused();
    const stop = rows.find((row) => row.contains(focused)) ?? rows.find((row) => row.querySelector("[aria-current]")) ?? rows[0];
    for (const row of rows) {
      for (const button of row.querySelectorAll("button")) button.tabIndex = row === stop ? 0 : -1;
    }
  }

  #focused() {
    return /** @type {Document | ShadowRoot} */ (this.element.getRootNode()).activeElement;
  }
}

function skeleton() {
  const line = () => h("div", { class: "skeleton-row" }, h("span", { class: "skeleton-dot" }), h("span", { class: "skeleton-lines" }, h("span"), h("span")));
  return h("div", { class: "skeleton", "aria-hidden": "true" }, line(), line(), line(), line());
}
