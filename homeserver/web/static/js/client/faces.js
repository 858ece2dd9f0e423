const HUES = 8;

/** One of a few colours, always the same for the same key. @param {string} key */
export function hueOf(key) {
  let hash = 0;
  for (const sign of key) hash = (hash * 31 + (sign.codePointAt(0) ?? 0)) >>> 0;
  return hash % HUES;
}

/** The first letters of the first two words. @param {string} name */
export function initials(name) {
  const words = name.match(/[\p{L}\p{N}][\p{L}\p{M}\p{N}]*/gu) ?? [];
  const letters = words.slice(0, 2).map((word) => [...word][0]);
  return letters.join("").toLocaleUpperCase() || "#";
}
