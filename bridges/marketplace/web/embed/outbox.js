import { randomId } from "../client/dom.js";
import { ApiError } from "../client/errors.js";
import { recall, remember } from "./store.js";

const LONGEST_RETRY_MS = 60000;
const MOST_KEPT = 20;
const PREVIEWED = /^image\/(png|jpeg|gif|webp)$/;

/** @typedef {import("./log.js").Pending} Pending */

/**
 * Sends the messages of one chat, one after the other so that they keep their order. What fails stays in the log and
 * can be tried again: the server knows a repeated message by its `client_id` and takes it once. Texts outlive the page.
 */
export class Outbox {
  #market;
  #chatId;
  #log;
  #texts;
  #ownId;
  #key;
  /** @type {Promise<void>} */
  #line = Promise.resolve();
  #isClosed = false;

  /**
   * @param {object} needs
   * @param {import("./market.js").Market} needs.market
   * @param {number} needs.chatId
   * @param {string} needs.ownId
   * @param {import("./log.js").Log} needs.log
   * @param {import("./texts.js").Texts} needs.texts
   */
  constructor({ market, chatId, ownId, log, texts }) {
    this.#market = market;
    this.#chatId = chatId;
    this.#ownId = ownId;
    this.#log = log;
    this.#texts = texts;
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

  /** @param {string} clientId */
  retry(clientId) {
    if (this.#find(clientId)?.state !== "failed") return;
    this.#log.changePending(clientId, { state: "sending", error: "" });
    this.#enqueue(clientId);
  }

  /** Try again what failed because the network was away. */
  retryAll() {
    for (const one of this.#log.pending) if (one.isPassing) this.retry(one.clientId);
  }

  /** Give a message up. @param {string} clientId */
  discard(clientId) {
    const pending = this.#find(clientId);
    pending?.file?.ending.abort();
    this.#done(clientId, null);
  }

  /** Send nothing any more. */
  close() {
    this.#isClosed = true;
    for (const one of this.#log.pending) {
      one.file?.ending.abort();
      dispose(one);
    }
  }

  /** @param {Pick<Pending, "clientId" | "text" | "createdAt" | "file">} start */
  #add(start) {
    this.#log.addPending({ ...start, state: "sending", error: "", isPassing: false });
    this.#enqueue(start.clientId);
  }

  /** @param {string} clientId @returns {Pending | null} */
  #find(clientId) {
    return this.#log.pending.find((one) => one.clientId === clientId) ?? null;
  }

  /** @param {string} clientId */
  #enqueue(clientId) {
    this.#line = this.#line.then(() => this.#attempt(clientId));
  }

  /** @param {string} clientId */
  async #attempt(clientId) {
    const pending = this.#find(clientId);
    if (!pending || this.#isClosed) return;
    try {
      const named = pending.file ? await this.#upload(clientId, pending.file) : { message_type: /** @type {const} */ ("text") };
      if (!this.#find(clientId) || this.#isClosed) return;
      const message = await this.#market.send(this.#chatId, { message_text: pending.text, client_id: clientId, ...named });
      this.#done(clientId, message);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.#find(clientId) && !this.#isClosed) this.#failed(clientId, error);
    }
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
    const file = this.#find(clientId)?.file;
    if (file) this.#log.changePending(clientId, { file: { ...file, ...change } });
  }

  /** @param {string} clientId @param {ApiError} error */
  #failed(clientId, error) {
    this.#log.changePending(clientId, { state: "failed", error: this.#texts.explain(error), isPassing: error.isPassing });
    if (error.retryAfterMs === null || error.retryAfterMs > LONGEST_RETRY_MS) return;
    setTimeout(() => this.retry(clientId), error.retryAfterMs);
  }

  /** @param {string} clientId @param {import("./market.js").Message | null} message */
  #done(clientId, message) {
    const pending = this.#find(clientId);
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
