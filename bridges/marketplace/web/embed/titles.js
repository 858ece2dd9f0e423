import { recall, remember } from "./store.js";

const KEY = "chat_titles";
const MOST = 50;
const MOST_CHARS = 120;

/** @returns {Record<string, string>} */
function kept() {
  try {
    const titles = JSON.parse(recall(KEY) ?? "{}");
    return typeof titles === "object" && titles !== null ? titles : {};
  } catch {
    return {}; // Something else of that name.
  }
}

/** Remember what the page called a listing: the server does not know. @param {string} iphoneId @param {string} title */
export function noteTitle(iphoneId, title) {
  const { [iphoneId]: _, ...others } = kept();
  const latest = Object.entries(others).slice(1 - MOST);
  remember(KEY, JSON.stringify({ ...Object.fromEntries(latest), [iphoneId]: String(title).slice(0, MOST_CHARS) }));
}

/**
 * What a listing is called.
 *
 * @param {string} iphoneId
 * @param {{texts: import("./texts.js").Texts, options: import("./options.js").Options}} parts
 */
export function titleOf(iphoneId, { texts, options }) {
  const title = options.listingTitle?.(iphoneId) ?? kept()[iphoneId];
  return typeof title === "string" && title ? title : texts.t("chat.listing", { id: iphoneId });
}
