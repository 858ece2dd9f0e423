/**
 * The seller's inbox. It starts by itself on a page with `id="profilePage"`. See docs/embeds.md.
 *
 * This script only says where everything is; the rest is loaded when it is needed.
 */
(() => {
  const served = "__SERVED__";
  const script = document.currentScript;
  const base = new URL(".", script?.src ?? location.href).href.replace(/\/$/, "");

  window.SellerChatsManager = class SellerChatsManager {
    #starting;

    /** @param {HTMLElement} [container] where the inbox goes */
    constructor(container = document.getElementById("profilePage")) {
      this.#starting = import(`${base}/embed/${served.build}/widget/inbox.js`).then(({ startInbox }) =>
        startInbox({ base, served, data: script?.dataset ?? {} }, container),
      );
    }

    /** The inbox, once it is there. */
    get ready() {
      return this.#starting;
    }
  };

  const look = () => {
    if (document.getElementById("profilePage")) window.sellerChatsManager ??= new window.SellerChatsManager();
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", look);
  else look();
})();
