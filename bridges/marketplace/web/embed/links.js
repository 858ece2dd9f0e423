const LINK = /(?:^#|&)chat=(\d{1,16})(?:&|$)/;

/** The chat that the page's address names: `#chat=12`. @returns {number | null} */
export function linkedChat() {
  const id = LINK.exec(location.hash)?.[1];
  return id === undefined ? null : Number(id);
}

/**
 * Hear of chats that are to be opened on a page that is open already: a link to one, or a click on a notification.
 *
 * @param {(chatId: number) => void} open
 * @param {AbortSignal} [signal]
 */
export function onLink(open, signal) {
  const follow = () => {
    const id = linkedChat();
    if (id !== null) open(id);
  };
  const told = (/** @type {MessageEvent} */ event) => {
    if (event.data?.type === "chat-open" && Number.isSafeInteger(event.data.chat_id)) open(event.data.chat_id);
  };
  addEventListener("hashchange", follow, { signal });
  navigator.serviceWorker?.addEventListener("message", told, { signal });
}
