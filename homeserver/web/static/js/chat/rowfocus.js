/**
 * Arrow keys move between messages; Home and End go to the first and last one here. From the list itself, Up goes to
 * the last message.
 *
 * @param {KeyboardEvent} event
 * @param {HTMLElement} list
 * @returns {boolean} whether the key was meant for this
 */
export function moveFocus(event, list) {
  const rows = /** @type {HTMLElement[]} */ ([...list.querySelectorAll(".row")]);
  const target = targetOf(event.key, rows, document.activeElement?.closest(".row") ?? null);
  if (!target || event.ctrlKey || event.metaKey || event.altKey) return false;
  event.preventDefault();
  target.focus({ preventScroll: true });
  target.scrollIntoView({ block: "nearest" });
  return true;
}

/**
 * @param {string} key
 * @param {HTMLElement[]} rows
 * @param {Element | null} current
 */
function targetOf(key, rows, current) {
  const index = rows.findIndex((row) => row === current);
  if (key === "ArrowUp") return index < 0 ? rows.at(-1) : rows[Math.max(0, index - 1)];
  if (key === "ArrowDown") return index < 0 ? null : rows[Math.min(rows.length - 1, index + 1)];
  if (key === "Home") return rows[0];
  if (key === "End") return rows.at(-1);
  return null;
}
