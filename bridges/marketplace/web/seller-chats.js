/**
 * The seller's inbox. It starts by itself on a page with `id="profilePage"`. See docs/embeds.md.
 *
 * This script only says where everything is; the rest is loaded when it is needed.
 */
(() => {
  const served = "__SERVED__";
  const script = document.currentScript;
  const base = new URL(".", script?.src ?? location.href).href.replace(/\/$/, "");

  /** A place that the page made for it, else the end of the profile. */
  const place = () => document.getElementById("sellerChats") ?? document.getElementById("profilePage");

  /** The inbox of each place, so that a page that makes one of its own too gets the same. */
  const started = new WeakMap();

  /** @param {HTMLElement} where */
  function start(where) {
    const starting = import(`${base}/embed/${served.build}/widget/inbox.js`).then(({ startInbox }) =>
      startInbox({ base, served, data: script?.dataset ?? {} }, where),
    );
    started.set(where, starting);
    return starting;
  }

  window.SellerChatsManager = class SellerChatsManager {
    #inbox;
    #where;

    /** @param {HTMLElement} [container] where the inbox goes */
    constructor(container = place() ?? document.body) {
      this.#where = container;
      this.#inbox = started.get(container) ?? start(container);
    }

    /** Whether there is such a chat; it is then open. @param {number} chatId */
    openChat = async (chatId) => (await this.#inbox).openChat(chatId);

    /** Somebody signed in or out on this page. */
    refresh = async () => (await this.#inbox).refresh();

    /** Take the inbox away. */
    destroy = async () => {
      started.delete(this.#where);
      (await this.#inbox).destroy();
    };
  };

  const look = () => {
    if (document.getElementById("profilePage")) window.sellerChatsManager ??= new window.SellerChatsManager();
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", look);
  else look();
})();
