import { randomId } from "../client/dom.js";
import { SendQueue } from "../client/sendqueue.js";
import { explain } from "./explain.js";

const WAIT_FOR_ECHO_MS = 2000;
const LONGEST_RETRY_MS = 30000;

/** @typedef {import("./timeline.js").Pending} Pending */

/**
 * Sends the messages of one conversation. What fails stays in the timeline.
 *
 * @extends {SendQueue<Pending>}
 */
export class Outbox extends SendQueue {
  #api;
  #chatApi;
  #conversationId;
  #timeline;
  #history;

  /**
   * @param {object} needs
   * @param {import("../api.js").Api} needs.api
   * @param {import("../chatapi.js").ChatApi} needs.chatApi
   * @param {string} needs.conversationId
   * @param {import("./timeline.js").Timeline} needs.timeline
   * @param {import("./history.js").History} needs.history
   */
  constructor({ api, chatApi, conversationId, timeline, history }) {
    super(timeline, (pending) => this.#transmit(pending), explain, LONGEST_RETRY_MS);
    this.#api = api;
    this.#chatApi = chatApi;
    this.#conversationId = conversationId;
    this.#timeline = timeline;
    this.#history = history;
  }

  /**
   * @param {string} text
   * @param {string | null} replyTo
   * @param {import("./uploads.js").Upload[]} files
   */
  send(text, replyTo, files) {
    const clientId = randomId();
    const createdAt = new Date().toISOString();
    const start = { state: /** @type {const} */ ("sending"), error: "", messageId: null, message: null };
    this.#timeline.addPending({ clientId, text, replyTo, createdAt, files, ...start });
    this.enqueue(clientId);
  }

  /** Give a message up that could not be sent. @param {string} clientId */
  discard(clientId) {
    for (const file of this.find(clientId)?.files ?? []) {
      file.cancel();
      file.dispose();
    }
    this.#timeline.dropPending(clientId);
  }

  /** Take one file out of a message on its way. @param {string} clientId @param {import("./uploads.js").Upload} file */
  cancelFile(clientId, file) {
    const pending = this.find(clientId);
    if (!pending) return;
    file.cancel();
    const files = pending.files.filter((one) => one !== file);
    if (files.length === 0 && !pending.text && !pending.messageId) return this.discard(clientId);
    this.#timeline.changePending(clientId, { files });
    if (pending.state === "failed") this.retry(clientId);
  }

  /** Send nothing any more. */
  close() {
    super.close();
    for (const one of this.#timeline.pending) for (const file of one.files) file.cancel();
  }

  /** @param {Pending} pending */
  async #transmit(pending) {
    if (pending.files.length > 0) await this.#sendFiles(pending.clientId);
    else if (pending.messageId) await this.#finish(pending.clientId);
    else await this.#sendText(pending);
  }

  /** @param {Pending} pending */
  async #sendText({ clientId, text, replyTo }) {
    const body = { conversation_id: this.#conversationId, text, reply_to: replyTo, client_id: clientId };
    const message = await this.#chatApi.sendMessage(body);
    if (this.#timeline.get(message.id)) return this.#timeline.dropPending(clientId);
    // Its place in the order is known when it comes over the socket; if that is away, it goes to the end.
    this.#timeline.changePending(clientId, { state: "sent", message });
    setTimeout(() => {
      if (this.find(clientId)) this.#timeline.add(message);
    }, WAIT_FOR_ECHO_MS);
  }

  /** @param {string} clientId */
  async #sendFiles(clientId) {
    for (;;) {
      const pending = this.find(clientId);
      const file = pending?.files.find((one) => one.state !== "done" && one.state !== "cancelled");
      if (!pending || !file) break;
      const attachment = await file.send(this.#api, this.#chatApi.uploadPath, this.#fieldsFor(pending));
      if (!pending.messageId) this.#timeline.changePending(clientId, { messageId: attachment.message_id });
    }
    await this.#finish(clientId);
  }

  /** @param {Pending} pending @returns {Record<string, string>} */
  #fieldsFor({ clientId, text, replyTo, messageId }) {
    if (messageId) return { message_id: messageId };
    const fields = { conversation_id: this.#conversationId, client_id: clientId };
    return { ...fields, ...(text ? { text } : {}), ...(replyTo ? { reply_to: replyTo } : {}) };
  }

  /** All files are over there: show the message as the server has it. @param {string} clientId */
  async #finish(clientId) {
    const pending = this.find(clientId);
    if (!pending) return;
    try {
      await this.#history.refresh();
    } finally {
      for (const file of pending.files) file.dispose();
      this.#timeline.dropPending(clientId);
    }
  }
}
