import { PAGE } from "../chatapi.js";
import { ApiError } from "../client/errors.js";

const MOST_FILL_PAGES = 10;
const MOST_CHECK_PAGES = 4;

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

  /** The same, asked for after this moment even if a request is under way already. */
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
      const hasOlder = page.length === PAGE;
      if (!timeline.isLoaded) return timeline.reset(page, hasOlder);
      const end = timeline.merge(page, null, hasOlder) ? page[0]?.id : await this.#fillGap();
      if (end === null) return timeline.reset(page, hasOlder);
      await this.#check(end);
    } finally {
      timeline.release();
    }
  }

  /**
   * Load everything after our last message.
   *
   * @returns {Promise<string | null>} the first message that it brought; null where it cannot be done
   */
  async #fillGap() {
    const timeline = this.#timeline;
    let first = null;
    for (let count = 0; count < MOST_FILL_PAGES; count += 1) {
      const last = timeline.last;
      if (!last) return null;
      try {
        const page = await this.#api.messages(this.#id, { after: last.id });
        timeline.append(page);
        first ??= page[0]?.id ?? null;
        if (page.length < PAGE) return first;
      } catch (error) {
        if (error instanceof ApiError && (error.status === 404 || error.status === 400)) return null;
        throw error;
      }
    }
    return null;
  }

  /** What lies before a message may have been edited or deleted while we were away: look at the last of it. @param {string | undefined} beforeId */
  async #check(beforeId) {
    const timeline = this.#timeline;
    let end = beforeId;
    for (let count = 0; count < MOST_CHECK_PAGES && end && timeline.messages[0]?.id !== end; count += 1) {
      const page = await this.#api.messages(this.#id, { before: end });
      if (!timeline.merge(page, end, page.length === PAGE)) return;
      end = page[0]?.id;
    }
  }

  async #loadOlder() {
    const first = this.#timeline.messages[0];
    if (!first || !this.#timeline.hasOlder) return;
    const page = await this.#api.messages(this.#id, { before: first.id });
    this.#timeline.prepend(page, page.length === PAGE);
  }
}
