import { Api } from "../api.js";
import { ChatApi } from "../chatapi.js";
import { config } from "../config.js";
import { Session } from "../session.js";
import { ChatContainer } from "./ChatContainer.js";

/** Go to the login; afterwards it comes back here. @param {boolean} hasEnded whether a login ended by itself */
function toLogin(hasEnded) {
  const query = new URLSearchParams({ next: `/chat${location.hash}` });
  if (hasEnded) query.set("ended", "1");
  location.replace(config.messengerPrefix ? `/login?${query}` : "/");
}

function start() {
  const session = new Session();
  const ownId = session.userId;
  if (ownId === null || !config.universityPrefix) return toLogin(false);
  const api = new Api(session, config.messengerPrefix);
  const root = /** @type {HTMLElement} */ (document.getElementById("chat"));
  const chatApi = new ChatApi(api, config.universityPrefix);
  let isLeaving = false;
  const onLogout = () => {
    isLeaving = true;
    return api.logout();
  };
  const chat = new ChatContainer(root, { api, chatApi, session, ownId, onLogout });
  session.on("ended", () => {
    chat.close();
    if (isLeaving) location.replace("/login");
    else toLogin(true);
  });
  session.on("switched", () => {
    chat.close();
    location.replace("/chat");
  });
}

start();
