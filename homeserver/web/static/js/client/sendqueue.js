import { ApiError } from "./errors.js";

/**
 * @typedef {object} Unsent what every message on its way has
 * @property {string} clientId
 * @property {string} state "failed": it can be tried again
 * @property {boolean} [isPassing] whether it failed for something that may well be over later
 *
 * @typedef {object} Failure
 * @property {"sending" | "failed"} state
 * @property {string} error
 * @property {boolean} [isPassing]
 */

/**
 * Sends the messages of one chat, one after the other so that they keep their order. What fails stays among the pending
 * ones and can be tried again: the server knows a repeated message by its `client_id` and takes it once.
 *
 * @template {Unsent} Pending
 */
export class SendQueue {
  #messages;
  #transmit;
  #explain;
  #longestRetryMs;
  /** @type {Promise<void>} */
  #line = Promise.resolve();
  isClosed = false;

  /**
   * @param {{pending: Pending[], changePending: (clientId: string, change: Failure) => void}} messages
   * @param {(pending: Pending) => Promise<unknown>} transmit sends what is not over there yet
   * @param {(error: ApiError) => string} explain why it failed, for people
   * @param {number} longestRetryMs a longer wait, where the server asks for one, is left to people
   */
  constructor(messages, transmit, explain, longestRetryMs) {
    this.#messages = messages;
    this.#transmit = transmit;
    this.#explain = explain;
    this.#longestRetryMs = longestRetryMs;
  }

  /** @param {string} clientId */
  retry(clientId) {
    if (this.find(clientId)?.state !== "failed") return;
    this.#messages.changePending(clientId, { state: "sending", error: "" });
    this.enqueue(clientId);
  }

  /** Try again what failed because the network was away. */
  retryAll() {
    for (const one of this.#messages.pending) if (one.isPassing) this.retry(one.clientId);
  }

  /** Send nothing any more. */
  close() {
    this.isClosed = true;
  }

  /** @param {string} clientId @returns {Pending | null} */
  find(clientId) {
    return this.#messages.pending.find((one) => one.clientId === clientId) ?? null;
  }

  /** @param {string} clientId */
  enqueue(clientId) {
    this.#line = this.#line.then(() => this.#attempt(clientId));
  }

  /** @param {string} clientId @returns {Promise<void>} */
  async #attempt(clientId) {
    const pending = this.find(clientId);
    if (!pending || this.isClosed) return;
    try {
      await this.#transmit(pending);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.code === "cancelled") return this.#attempt(clientId);
      if (this.find(clientId) && !this.isClosed) this.#failed(clientId, error);
    }
  }

  /** @param {string} clientId @param {ApiError} error */
  #failed(clientId, error) {
    this.#messages.changePending(clientId, { state: "failed", error: this.#explain(error), isPassing: error.isPassing });
    if (error.retryAfterMs === null || error.retryAfterMs > this.#longestRetryMs) return;
    setTimeout(() => this.retry(clientId), error.retryAfterMs);
  }
}
