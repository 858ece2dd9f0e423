import { randomId } from "../client/dom.js";
import { SendQueue } from "../client/sendqueue.js";
import { recall, remember } from "./store.js";

const LONGEST_RETRY_MS = 60000;
const MOST_KEPT = 20;
const PREVIEWED = /^image\/(png|jpeg|gif|webp)$/;

/** @typedef {import("./log.js").Pending} Pending */

/**
 * Sends the messages of one chat. What fails stays in the log. Texts outlive the page.
 *
 * @extends {SendQueue<Pending>}
 */
export class Outbox extends SendQueue {
  #market;
  #chatId;
  #log;
  #ownId;
  #key;

  /**
   * @param {object} needs
   * @param {import("./market.js").Market} needs.market
   * @param {number} needs.chatId
   * @param {string} needs.ownId
   * @param {import("./log.js").Log} needs.log
   * @param {import("./texts.js").Texts} needs.texts
   */
  constructor({ market, chatId, ownId, log, texts }) {
    super(log, (pending) => this.#transmit(pending), (error) => texts.explain(error), LONGEST_RETRY_MS);
    this.#market = market;
    this.#chatId = chatId;
    this.#ownId = ownId;
    this.#log = log;
    this.#key = `chat_unsent:${chatId}`;
  }

  /** Go on with what an earlier page could not send. */
  resume() {
    for (const { clientId, text, createdAt } of this.#kept()) this.#add({ clientId, text, createdAt, file: null });
  }

  /** A file is a message of its own; the text goes with the first. @param {string} text @param {File[]} files */
  send(text, files) {
    const createdAt = new Date().toISOString();
    for (const [index, file] of (files.length > 0 ? files : [null]).entries()) {
      this.#add({ clientId: randomId(), text: index === 0 ? text : "", createdAt, file: file && sending(file) });
    }
    this.#keep();
  }

  /** Give a message up. @param {string} clientId */
  discard(clientId) {
    const pending = this.find(clientId);
    pending?.file?.ending.abort();
    this.#done(clientId, null);
  }

  /** Send nothing any more. */
  close() {
    super.close();
    for (const one of this.#log.pending) {
      one.file?.ending.abort();
      dispose(one);
    }
  }

  /** @param {Pick<Pending, "clientId" | "text" | "createdAt" | "file">} start */
  #add(start) {
    this.#log.addPending({ ...start, state: "sending", error: "", isPassing: false });
    this.enqueue(start.clientId);
  }

  /** @param {Pending} pending */
  async #transmit({ clientId, text, file }) {
    const named = file ? await this.#upload(clientId, file) : { message_type: /** @type {const} */ ("text") };
    if (!this.find(clientId) || this.isClosed) return;
    this.#done(clientId, await this.#market.send(this.#chatId, { message_text: text, client_id: clientId, ...named }));
  }

  /** @param {string} clientId @param {import("./log.js").Sending} file */
  async #upload(clientId, file) {
    const onProgress = (/** @type {number} */ progress) => this.#changeFile(clientId, { progress });
    const stored = file.stored ?? (await this.#market.upload(file.file, { onProgress, signal: file.ending.signal }));
    this.#changeFile(clientId, { stored, progress: 1 });
    const type = /** @type {"image" | "file"} */ (PREVIEWED.test(file.file.type) ? "image" : "file");
    return { message_type: type, file_url: stored.public_url, file_name: stored.file_name, file_size: stored.file_size };
  }

  /** @param {string} clientId @param {Partial<import("./log.js").Sending>} change */
  #changeFile(clientId, change) {
    const file = this.find(clientId)?.file;
    if (file) this.#log.changePending(clientId, { file: { ...file, ...change } });
  }

  /** @param {string} clientId @param {import("./market.js").Message | null} message */
  #done(clientId, message) {
    const pending = this.find(clientId);
    this.#log.dropPending(clientId, message);
    if (pending) dispose(pending);
    this.#keep();
  }

  /** Write down what is not sent yet. Files are lost with the page. */
  #keep() {
    const texts = this.#log.pending.filter((one) => one.text && !one.file).slice(0, MOST_KEPT);
    const kept = texts.map(({ clientId, text, createdAt }) => ({ clientId, text, createdAt }));
    remember(this.#key, kept.length > 0 ? JSON.stringify({ of: this.#ownId, kept }) : null);
  }

  /** @returns {{clientId: string, text: string, createdAt: string}[]} */
  #kept() {
    try {
      const { of, kept } = JSON.parse(recall(this.#key) ?? "{}");
      return of === this.#ownId && Array.isArray(kept) ? kept.slice(0, MOST_KEPT) : [];
    } catch {
      return []; // Something else of that name.
    }
  }
}

/** @param {File} file @returns {import("./log.js").Sending} */
function sending(file) {
  const previewUrl = PREVIEWED.test(file.type) ? URL.createObjectURL(file) : null;
  return { file, previewUrl, progress: 0, stored: null, ending: new AbortController() };
}

/** Let go of the preview. @param {Pending} pending */
function dispose(pending) {
  if (pending.file?.previewUrl) URL.revokeObjectURL(pending.file.previewUrl);
}
