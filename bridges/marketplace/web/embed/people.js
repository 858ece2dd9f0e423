/**
 * What somebody in a chat is called. A person of whom nothing is known yet has their id as their name.
 *
 * @param {import("./market.js").Chat} chat
 * @param {string} senderId
 * @param {import("./texts.js").Texts} texts
 */
export function nameOf(chat, senderId, texts) {
  if (senderId === String(chat.seller_id)) return named(chat.seller_name, senderId) ?? texts.t("chat.seller");
  if (senderId !== chat.buyer_id) return texts.t("person.support");
  if (chat.buyer_is_registered) return named(chat.buyer_name, senderId) ?? texts.t("person.other");
  return texts.t("person.guest", { count: chat.anonymous_buyer_number ?? 0 });
}

/** @param {string | null} name @param {string} id */
function named(name, id) {
  const plain = name?.trim();
  return plain && plain !== id ? plain : null;
}
