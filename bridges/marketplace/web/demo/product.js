import { bindAccount } from "./account.js";

/** chat.js has run by the time that somebody clicks. */
const manager = () => /** @type {any} */ (globalThis).chatManager;

bindAccount(() => manager().refresh());

const button = /** @type {HTMLButtonElement} */ (document.getElementById("openChatBtn"));
button.addEventListener("click", () => {
  const { seller, listing, title } = button.dataset;
  manager().openChat(Number(seller), Number(listing), { title });
});
// Comes when all scripts have run; a click before that would be lost.
addEventListener("DOMContentLoaded", () => (button.disabled = false));
