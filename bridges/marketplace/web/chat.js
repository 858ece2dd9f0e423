/**
 * The buyer's side of the chat on any page: `chatManager.openChat(sellerId, iphoneId)`. See docs/embeds.md.
 *
 * This script only says where everything is; the rest is loaded when it is needed.
 */
(() => {
  const served = "__SERVED__";
  const script = document.currentScript;
  const base = new URL(".", script?.src ?? location.href).href.replace(/\/$/, "");
  let starting = null;

  /** The window, started once; after a failure the next call tries again. */
  function start() {
    starting ??= import(`${base}/embed/${served.build}/widget/buyer.js`)
      .then(({ startBuyer }) => startBuyer({ base, served, data: script?.dataset ?? {} }))
      .catch((error) => {
        starting = null;
        throw error;
      });
    return starting;
  }

  window.chatManager = {
    /**
     * Open the chat with a seller about a listing. `about`: `{title}` of the listing, for the window's head.
     */
    openChat: async (sellerId, iphoneId, about = {}) => (await start()).openChat(sellerId, iphoneId, about),
    /** Close the window; what was said stays. */
    close: async () => (await starting)?.close(),
    /** Somebody signed in or out on this page. */
    refresh: async () => (await starting)?.refresh(),
  };

  // Who was here before may have unread answers: a button shows them.
  const look = () => {
    let isKnown = false;
    try {
      isKnown = ["anonymous_user_id", "access_token", "auth_data"].some((key) => localStorage.getItem(key) !== null);
    } catch {
      // This browser keeps nothing for the site, so nobody was here before.
    }
    if (isKnown || window.chatConfig?.token || window.chatConfig?.userId) start().catch(() => null);
  };
  if (document.readyState === "complete") look();
  else addEventListener("load", look);
})();
