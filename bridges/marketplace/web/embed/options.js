/**
 * What a page may choose: by attributes of the script's tag (`data-lang`), or by `window.chatConfig` (`lang`).
 *
 * @typedef {object} Options
 * @property {string} base the chat server, without a slash at the end
 * @property {string} prefix path of the API there
 * @property {string} publicUrl what the server calls itself in the addresses of files
 * @property {"ru" | "en"} lang
 * @property {"auto" | "light" | "dark"} theme
 * @property {string | ((refused: string | null) => string | null | Promise<string | null>) | null} token the access token
 *   of who is signed in, or what gives it; it is told which one was refused
 * @property {string | null} userId who is signed in, where the page knows it
 * @property {RequestCredentials} credentials "include": cookies go along to the chat server
 * @property {string | null} worker address of the service worker for notifications, on the page's own site;
 *   null: there are none
 * @property {((listing: string) => string) | null} listingTitle what the page calls a listing
 * @property {string | null} login where one signs in; null: the page itself has a way
 * @property {boolean} launcher whether a button on the page shows that there are chats
 *
 * @typedef {object} Given what the loader knows
 * @property {string} base
 * @property {{prefix: string, publicUrl: string, push: boolean, login: string | null}} served what the server said of itself
 * @property {DOMStringMap} data
 */

/** @param {Given} given @returns {Options} */
export function readOptions({ base, served, data }) {
  const chosen = { ...data, .../** @type {any} */ (globalThis).chatConfig };
  const lang = String(chosen.lang ?? document.documentElement.lang ?? "").slice(0, 2).toLowerCase();
  const place = String(chosen.base ?? base).replace(/\/+$/, "");
  const isOwn = new URL(place, location.href).origin === location.origin;
  return {
    base: place,
    prefix: `/${String(chosen.prefix ?? served.prefix).replace(/^\/+|\/+$/g, "")}`,
    publicUrl: served.publicUrl,
    lang: lang === "en" ? "en" : "ru",
    theme: chosen.theme === "light" || chosen.theme === "dark" ? chosen.theme : "auto",
    token: chosen.token ?? null,
    userId: chosen.userId === undefined || chosen.userId === null ? null : String(chosen.userId),
    credentials: chosen.credentials === "include" ? "include" : "same-origin",
    worker: served.push ? (chosen.worker ?? (isOwn ? `${place}/chat-sw.js` : null)) : null,
    listingTitle: typeof chosen.listingTitle === "function" ? chosen.listingTitle : null,
    login: loginAt(chosen.login ?? (isOwn ? served.login : null)),
    launcher: chosen.launcher !== false && chosen.launcher !== "off",
  };
}

/** `{next}` in an address stands for this page. @param {string | null} address */
function loginAt(address) {
  return address?.replace("{next}", encodeURIComponent(location.pathname + location.search + location.hash)) ?? null;
}
