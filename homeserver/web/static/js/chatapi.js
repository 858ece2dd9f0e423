/**
 * The chat API's calls and records.
 *
 * @typedef {object} Attachment
 * @property {number} id
 * @property {string} message_id
 * @property {string} file_url
 * @property {"image" | "video" | "file"} file_type
 * @property {number} file_size
 * @property {string} created_at
 * @property {string} [name]
 * @property {string} [content_type]
 * @property {number | null} [width]
 * @property {number | null} [height]
 * @property {string | null} [thumbnail_url]
 *
 * @typedef {object} Message
 * @property {string} id
 * @property {string} conversation_id
 * @property {number} sender_id
 * @property {string | null} text
 * @property {string | null} reply_to
 * @property {boolean} is_edited
 * @property {string} created_at
 * @property {Attachment[]} attachments
 * @property {number} read_by_count
 * @property {string | null} [client_id]
 *
 * @typedef {object} Participant
 * @property {number} user_id
 * @property {"admin" | "member"} role
 * @property {string} joined_at
 * @property {string} first_name
 * @property {string} last_name
 * @property {string | null} avatar
 *
 * @typedef {object} LastMessage
 * @property {string} id
 * @property {number} sender_id
 * @property {string | null} text
 * @property {string} created_at
 *
 * @typedef {object} Conversation
 * @property {string} id
 * @property {"private" | "group"} type
 * @property {string | null} title
 * @property {number} created_by
 * @property {string} created_at
 * @property {string | null} service
 * @property {string | null} service_id
 * @property {string | null} description
 * @property {number} unread_count
 * @property {LastMessage | null} last_message
 * @property {number} [member_count]
 * @property {Participant[]} [participants]
 *
 * @typedef {object} ChatUser
 * @property {number} id
 * @property {string} first_name
 * @property {string} last_name
 * @property {string} [middle_name]
 * @property {string | null} [avatar]
 * @property {string} [role]
 * @property {string} [position]
 * @property {string} [group]
 */

export const PAGE = 50;
const MOST_BLOCKED = 200; // of those blocked last; of others the server knows all the same

/** One method per call; all of them reject with `ApiError`. */
export class ChatApi {
  #api;
  #prefix;

  /**
   * @param {import("./api.js").Api} api
   * @param {string} prefix
   */
  constructor(api, prefix) {
    this.#api = api;
    this.#prefix = prefix;
  }

  /**
   * @param {{search?: string, limit?: number, offset?: number}} query
   * @param {AbortSignal} [signal]
   * @returns {Promise<Conversation[]>}
   */
  conversations(query, signal) {
    return this.#call("GET", "conversations/", { query, signal });
  }

  /** @param {string} id @returns {Promise<Conversation>} */
  conversation(id) {
    return this.#call("GET", `conversations/${encodeURIComponent(id)}`);
  }

  /**
   * @param {{type: "private" | "group", title?: string, participant_ids: number[]}} body
   * @returns {Promise<Conversation>}
   */
  createConversation(body) {
    return this.#call("POST", "conversations/", { body });
  }

  /** @param {string} id @param {{title?: string, description?: string}} body @returns {Promise<Conversation>} */
  changeConversation(id, body) {
    return this.#call("PATCH", `conversations/${encodeURIComponent(id)}`, { body });
  }

  /** Close it for all (admins) or leave it (others). @param {string} id */
  deleteConversation(id) {
    return this.#call("DELETE", `conversations/${encodeURIComponent(id)}`);
  }

  /** @param {string} id @returns {Promise<Participant[]>} */
  participants(id) {
    return this.#call("GET", `conversations/${encodeURIComponent(id)}/participants`);
  }

  /** @param {string} id @param {number} userId @returns {Promise<Participant>} */
  addParticipant(id, userId) {
    return this.#call("POST", `conversations/${encodeURIComponent(id)}/participants/`, { body: { user_id: userId } });
  }

  /** @param {string} id @param {number} userId */
  removeParticipant(id, userId) {
    return this.#call("DELETE", `conversations/${encodeURIComponent(id)}/participants/${userId}`);
  }

  /**
   * A page of messages, oldest first.
   *
   * @param {string} conversationId
   * @param {{limit?: number, before?: string, after?: string}} [query]
   * @returns {Promise<Message[]>}
   */
  messages(conversationId, query = {}) {
    return this.#call("GET", `messages/${encodeURIComponent(conversationId)}`, { query: { limit: PAGE, ...query } });
  }

  /**
   * @param {{conversation_id: string, text: string, reply_to: string | null, client_id: string}} body
   * @returns {Promise<Message>}
   */
  sendMessage(body) {
    return this.#call("POST", "messages/", { body });
  }

  /** @param {string} id @param {string} text @returns {Promise<Message>} */
  editMessage(id, text) {
    return this.#call("PUT", `messages/${encodeURIComponent(id)}`, { body: { text } });
  }

  /** @param {string} id */
  deleteMessage(id) {
    return this.#call("DELETE", `messages/${encodeURIComponent(id)}`);
  }

  /** Tell the server's admins of a message. @param {string} id @param {string} reason */
  reportMessage(id, reason) {
    return this.#call("POST", `messages/${encodeURIComponent(id)}/report`, { body: { reason } });
  }

  /** @param {string} conversationId @param {string} messageId */
  markRead(conversationId, messageId) {
    const path = `conversations/${encodeURIComponent(conversationId)}/read`;
    return this.#call("POST", path, { body: { message_id: messageId } });
  }

  /**
   * @param {string} search
   * @param {AbortSignal} [signal]
   * @returns {Promise<ChatUser[]>}
   */
  people(search, signal) {
    return this.#call("GET", "users/chat-users/", { query: { search, limit: 30 }, signal });
  }

  /** Whom we have blocked, the latest first. @returns {Promise<ChatUser[]>} */
  blocked() {
    return this.#call("GET", "users/blocked/", { query: { limit: MOST_BLOCKED } });
  }

  /** Neither of the two writes to the other any more, or both may again. @param {number} userId @param {boolean} isBlocked */
  setBlocked(userId, isBlocked) {
    return this.#call(isBlocked ? "POST" : "DELETE", `users/${userId}/block`);
  }

  /** Where files are sent to. */
  get uploadPath() {
    return `${this.#prefix}/attachments/`;
  }

  /** @param {string} conversationId */
  socketPath(conversationId) {
    return `${this.#prefix}/ws/conversations/${encodeURIComponent(conversationId)}/`;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [options]
   */
  #call(method, path, options) {
    return this.#api.request(method, `${this.#prefix}/${path}`, options);
  }
}
