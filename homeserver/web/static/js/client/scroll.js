const NEAR_BOTTOM = 80;

/**
 * Keeps the place in a list that grows at both ends: at the bottom it stays at the bottom, elsewhere the line that the
 * reader looks at stays where it is.
 */
export class ScrollKeeper {
  #scroller;
  #list;
  #observer;
  isStuck = true;

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} list its content
   * @param {() => void} onScroll
   */
  constructor(scroller, list, onScroll) {
    this.#scroller = scroller;
    this.#list = list;
    scroller.addEventListener(
      "scroll",
      () => {
        this.isStuck = this.distance < NEAR_BOTTOM;
        onScroll();
      },
      { passive: true },
    );
    // Pictures that load, a composer that grows, a keyboard that opens: the bottom stays in view.
    this.#observer = new ResizeObserver(() => {
      if (this.isStuck) this.toBottom();
    });
    this.#observer.observe(scroller);
    this.#observer.observe(list);
  }

  /** Pixels between what is shown and the end. */
  get distance() {
    return this.#scroller.scrollHeight - this.#scroller.scrollTop - this.#scroller.clientHeight;
  }

  /** Change the list without moving what is being read. @param {() => void} change */
  keep(change) {
    if (this.isStuck) {
      change();
      this.toBottom();
      return;
    }
    const top = this.#scroller.getBoundingClientRect().top;
    const rows = /** @type {HTMLElement[]} */ ([...this.#list.children]);
    const anchors = rows.filter((row) => row.getBoundingClientRect().bottom > top).slice(0, 12);
    const offsets = anchors.map((row) => row.getBoundingClientRect().top);
    change();
    const index = anchors.findIndex((row) => row.isConnected);
    if (index < 0) return;
    this.#scroller.scrollTop += anchors[index].getBoundingClientRect().top - offsets[index];
  }

  /** @param {boolean} [isSmooth] */
  toBottom(isSmooth = false) {
    this.isStuck = true;
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#scroller.scrollTo({ top: this.#scroller.scrollHeight, behavior: isSmooth && !isCalm ? "smooth" : "instant" });
  }

  /** Put an element at a third of the height. @param {HTMLElement} element */
  toElement(element) {
    this.isStuck = false;
    const offset = element.getBoundingClientRect().top - this.#scroller.getBoundingClientRect().top;
    this.#scroller.scrollTop += offset - this.#scroller.clientHeight / 3;
    this.isStuck = this.distance < NEAR_BOTTOM;
  }

  stop() {
    this.#observer.disconnect();
  }
}
