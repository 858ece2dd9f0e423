const YEAR_S = 365 * 24 * 3600;

/** @typedef {"system" | "light" | "dark"} Theme */

/** @returns {Theme} what the reader chose */
export function theme() {
  const chosen = document.documentElement.dataset.theme;
  return chosen === "light" || chosen === "dark" ? chosen : "system";
}

/**
 * Choose the colours, and remember it: in a cookie, so that the server sends the right ones from the first moment.
 *
 * @param {Theme} chosen
 */
export function applyTheme(chosen) {
  const dark = /** @type {HTMLLinkElement} */ (document.getElementById("dark-theme"));
  const media = { system: "(prefers-color-scheme: dark)", light: "not all", dark: "all" };
  document.documentElement.dataset.theme = chosen;
  dark.media = media[chosen];
  document.querySelector("meta[name=color-scheme]")?.setAttribute("content", chosen === "system" ? "light dark" : chosen);
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `theme=${chosen}; Path=/; Max-Age=${YEAR_S}; SameSite=Lax${secure}`;
}
