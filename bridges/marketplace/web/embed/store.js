/** What this site's pages remember, where the browser lets them; else for as long as this page lives. */

/** @type {Map<string, string>} */
const memory = new Map();

/** @param {string} key @returns {string | null} */
export function recall(key) {
  try {
    return localStorage.getItem(key) ?? memory.get(key) ?? null;
  } catch {
    return memory.get(key) ?? null; // The reader's browser keeps nothing for this site.
  }
}

/** @param {string} key @param {string | null} value null: forget it */
export function remember(key, value) {
  if (value === null) memory.delete(key);
  else memory.set(key, value);
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // The same; `memory` has it.
  }
}
