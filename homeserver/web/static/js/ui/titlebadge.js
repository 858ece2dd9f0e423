/** Shows the number of unread messages in the tab: in its title and as a dot on its icon. */
export class TitleBadge {
  #title = document.title;
  #icon = /** @type {HTMLLinkElement} */ (document.getElementById("favicon"));
  #plain = this.#icon.href;
  #count = 0;

  /** What the tab is called besides the number. @param {string} title */
  setTitle(title) {
    this.#title = title;
    this.#draw();
  }

  /** @param {number} count */
  setCount(count) {
    if (count === this.#count) return;
    this.#count = count;
    this.#icon.href = count > 0 ? (this.#icon.dataset.unread ?? this.#plain) : this.#plain;
    this.#draw();
  }

  #draw() {
    document.title = this.#count > 0 ? `(${this.#count > 99 ? "99+" : this.#count}) ${this.#title}` : this.#title;
  }
}
