const SAY_AGAIN_MS = 3000;
const QUIET_MS = 5000;
const FORGET_MS = 7000;

/** Says that we are typing: at once, then now and then, and when we have stopped. */
export class OwnTyping {
  #send;
  #saidAt = 0;
  #timer = 0;

  /** @param {(isTyping: boolean) => void} send */
  constructor(send) {
    this.#send = send;
  }

  typed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.stopped(), QUIET_MS);
    if (Date.now() - this.#saidAt < SAY_AGAIN_MS) return;
    this.#saidAt = Date.now();
    this.#send(true);
  }

  stopped() {
    clearTimeout(this.#timer);
    if (this.#saidAt === 0) return;
    this.#saidAt = 0;
    this.#send(false);
  }
}

/** Who else is typing in each conversation. One who says nothing for a while is forgotten. */
export class OthersTyping {
  /** @type {Map<string, Map<number, number>>} conversation -> person -> timer */
  #timers = new Map();
  #onChange;

  /** @param {(conversationId: string) => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /**
   * @param {string} conversationId
   * @param {number} userId
   * @param {boolean} isTyping
   */
  note(conversationId, userId, isTyping) {
    const people = this.#timers.get(conversationId) ?? new Map();
    this.#timers.set(conversationId, people);
    clearTimeout(people.get(userId));
    const was = people.delete(userId);
    if (isTyping) people.set(userId, setTimeout(() => this.note(conversationId, userId, false), FORGET_MS));
    if (was !== isTyping) this.#onChange(conversationId);
  }

  /** @param {string} conversationId @returns {number[]} */
  in(conversationId) {
    return [...(this.#timers.get(conversationId)?.keys() ?? [])];
  }
}
