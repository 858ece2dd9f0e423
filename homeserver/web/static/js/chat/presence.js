/**
 * Who is known to be here. The server tells it conversation by conversation, and what it told ends with the socket.
 */
export class Presence {
  /** @type {Map<string, Set<number>>} */
  #here = new Map();

  /**
   * @param {string} conversationId
   * @param {number} userId
   * @param {boolean} isOnline
   */
  note(conversationId, userId, isOnline) {
    const people = this.#here.get(conversationId) ?? new Set();
    if (isOnline) people.add(userId);
    else people.delete(userId);
    this.#here.set(conversationId, people);
  }

  /** Its socket is closed: nothing more will be heard of it. @param {string} conversationId */
  forget(conversationId) {
    return this.#here.delete(conversationId);
  }

  /** @param {number} userId */
  has(userId) {
    return [...this.#here.values()].some((people) => people.has(userId));
  }
}
