/**
 * Who is signed in on the demonstration's pages, with the login of this server. A marketplace has its own way, and gives
 * the widgets its token in the same manner.
 */
import { Api } from "/static/js/api.js";
import { Session } from "/static/js/session.js";

export const config = Object.freeze(JSON.parse(document.getElementById("demo-config")?.textContent ?? "{}"));

const session = new Session();
const api = new Api(session, config.messengerPrefix);

/** @param {string | null} refused an access token that no longer works @returns {Promise<string | null>} */
async function token(refused) {
  if (session.read() === null) return null;
  try {
    return refused === null ? await api.freshToken() : await api.renew(refused);
  } catch {
    return session.read()?.access ?? null; // No server, or no session any more; the widget tells.
  }
}

/** @type {any} */ (globalThis).chatConfig = {
  token,
  listingTitle: (/** @type {string} */ listing) => config.listings[listing] ?? null,
  .../** @type {any} */ (globalThis).chatConfig,
};

/** The buttons in the head of the page. @param {() => void} onChange */
export function bindAccount(onChange) {
  const login = /** @type {HTMLAnchorElement} */ (document.querySelector("[data-login]"));
  const logout = /** @type {HTMLButtonElement} */ (document.querySelector("[data-logout]"));
  const draw = () => {
    const isIn = session.read() !== null;
    login.hidden = isIn;
    logout.hidden = !isIn;
  };
  login.href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
  logout.addEventListener("click", async () => {
    await api.logout();
    draw();
    onChange();
  });
  session.on("ended", draw);
  session.on("switched", draw);
  addEventListener("storage", draw);
  draw();
}
