const PAUSE_MS = 250;

/** Tells the server how far the reader has read, once per message, when the page is really looked at. */
export class ReadMarks {
  #send;
  #onRead;
  /** @type {string | null} */
  #last = null;
  #timer = 0;

  /**
   * @param {(messageId: string) => Promise<void> | void} send
   * @param {() => void} onRead called as soon as there is nothing unread on the screen
   */
  constructor(send, onRead) {
    this.#send = send;
    this.#onRead = onRead;
  }

  /** The newest message is on the screen. @param {string | undefined} messageId */
  seen(messageId) {
    if (!messageId || document.hidden || !document.hasFocus()) return;
    this.#onRead();
    if (messageId === this.#last) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#last = messageId;
      void this.#send(messageId);
    }, PAUSE_MS);
  }

  /** After a break nobody knows whether the last mark arrived. */
  forget() {
    this.#last = null;
  }

  stop() {
    clearTimeout(this.#timer);
  }
}
