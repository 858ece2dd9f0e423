const PAGE = 50;
const MOST_FILL_PAGES = 10;

/** Loads the messages of one chat into its log. */
export class History {
  #market;
  #chatId;
  #log;
  /** @type {Promise<void> | null} */
  #older = null;
  /** @type {Promise<void> | null} */
  #refreshing = null;
  #again = false;

  /**
   * @param {import("./market.js").Market} market
   * @param {number} chatId
   * @param {import("./log.js").Log} log
   */
  constructor(market, chatId, log) {
    this.#market = market;
    this.#chatId = chatId;
    this.#log = log;
  }

  /** Load the newest page, or what has changed since it was loaded; once more if it is asked for meanwhile. */
  refresh() {
    this.#again = this.#refreshing !== null;
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  /** A message was edited: a page that is on its way may be older. @param {import("./market.js").Message} message */
  edited(message) {
    this.#log.update(message);
    this.#again = true;
  }

  /** Load the page before the oldest message we have. */
  older() {
    this.#older ??= this.#loadOlder().finally(() => {
      this.#older = null;
    });
    return this.#older;
  }

  async #refresh() {
    do {
      this.#again = false;
      await this.#fill();
    } while (this.#again);
  }

  async #fill() {
    const log = this.#log;
    let all = await this.#page();
    let hasOlder = all.length === PAGE;
    if (!log.isLoaded) return log.reset(all, hasOlder);
    for (let count = 0; !log.merge(all, hasOlder); count += 1) {
      // After a very long break the newest messages are enough; the rest can be scrolled to.
      if (count === MOST_FILL_PAGES) return log.reset(all, hasOlder);
      const page = await this.#page(all[0]?.id);
      hasOlder = page.length === PAGE;
      all = [...page, ...all];
    }
  }

  async #loadOlder() {
    if (!this.#log.hasOlder) return;
    const page = await this.#page(this.#log.messages[0]?.id);
    this.#log.prepend(page, page.length === PAGE);
  }

  /** @param {number} [before] a message's id */
  #page(before = Number.MAX_SAFE_INTEGER) {
    return this.#market.messages(this.#chatId, { limit: PAGE, before });
  }
}
