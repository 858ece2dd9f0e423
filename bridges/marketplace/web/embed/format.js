/** A count in a badge. @param {number} count */
export function badgeCount(count) {
  return count > 99 ? "99+" : String(count);
}
