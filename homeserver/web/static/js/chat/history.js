import { ApiError } from "../api.js";
import { PAGE } from "../chatapi.js";

const MOST_FILL_PAGES = 10;

/** Loads the messages of one conversation into its timeline. */
export class History {
  #api;
  #id;
  #timeline;
  /** @type {Promise<void> | null} */
  #older = null;
  /** @type {Promise<void> | null} */
  #catchUp = null;

  /**
   * @param {import("../chatapi.js").ChatApi} api
   * @param {string} conversationId
   * @param {import("./timeline.js").Timeline} timeline
   */
  constructor(api, conversationId, timeline) {
    this.#api = api;
    this.#id = conversationId;
    this.#timeline = timeline;
  }

  /** Load the newest page, or what has changed since it was loaded. */
  async refresh() {
    this.#catchUp ??= this.#refresh().finally(() => {
      this.#catchUp = null;
    });
    return this.#catchUp;
  }

  /** The same, but asked for after this moment even if a request is under way already. */
  async refreshAgain() {
    await this.#catchUp?.catch(() => null);
    return this.refresh();
  }

  /** Load the page before the oldest message we have. */
  async older() {
    this.#older ??= this.#loadOlder().finally(() => {
      this.#older = null;
    });
    return this.#older;
  }

  async #refresh() {
    const timeline = this.#timeline;
    timeline.hold();
    try {
      const page = await this.#api.messages(this.#id);
      if (!timeline.isLoaded) return timeline.reset(page, page.length === PAGE);
      if (timeline.reconcile(page)) return;
      if (!(await this.#fillGap())) timeline.reset(page, page.length === PAGE);
    } finally {
      timeline.release();
    }
  }

  /** @returns {Promise<boolean>} whether everything after our last message is here now */
  async #fillGap() {
    for (let count = 0; count < MOST_FILL_PAGES; count += 1) {
      const last = this.#timeline.last;
      if (!last) return false;
      try {
        const page = await this.#api.messages(this.#id, { after: last.id });
        this.#timeline.append(page);
        if (page.length < PAGE) return true;
      } catch (error) {
        if (error instanceof ApiError && (error.status === 404 || error.status === 400)) return false;
        throw error;
      }
    }
    return false;
  }

  async #loadOlder() {
    const first = this.#timeline.messages[0];
    if (!first || !this.#timeline.hasOlder) return;
    const page = await this.#api.messages(this.#id, { before: first.id });
    this.#timeline.prepend(page, page.length === PAGE);
  }
}
