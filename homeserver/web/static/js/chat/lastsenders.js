const MOST_GROUPS = 8;
const MOST_MEMBERS = 50;

/**
 * The list of conversations does not name those who wrote last. For the topmost groups of moderate size, ask once who is
 * in them, one group after the other.
 *
 * @param {import("./context.js").ChatContext} context
 * @returns {() => Promise<void>}
 */
export function lastSenders({ chatApi, conversations, people }) {
  /** @type {Set<string>} */
  const asked = new Set();
  return async () => {
    const isUnknown = (/** @type {import("../chatapi.js").Conversation} */ one) =>
      one.type === "group" && one.last_message !== null && !people.isKnown(one.last_message.sender_id);
    for (const one of conversations.list.slice(0, MOST_GROUPS).filter(isUnknown)) {
      if (asked.has(one.id) || (one.member_count ?? 0) > MOST_MEMBERS) continue;
      asked.add(one.id);
      people.addParticipants(await chatApi.participants(one.id));
    }
  };
}
