/**
 * Shows pushed messages as notifications, and opens the chat when one is clicked. A page of another origin has a worker
 * of its own with the single line `importScripts("https://chat.example/chat-sw.js")`.
 *
 * What arrives: `{type: "message", chat_id, listing, title, body, url, tag}`. Anything else is left to others: the page's
 * own worker may have pushes and notifications of its own.
 */
(() => {
  const MOST_CHARS = 300;
  const PLAIN = { ru: "Новое сообщение", en: "New message" };

  /** What a push says, if it is one of ours. @param {PushMessageData | null} data */
  function read(data) {
    try {
      const payload = data?.json();
      return payload?.type === "message" && Number.isSafeInteger(payload.chat_id) ? payload : null;
    } catch {
      return null;
    }
  }

  /** @param {unknown} value @param {string} otherwise */
  function text(value, otherwise) {
    return typeof value === "string" && value.trim() ? value.slice(0, MOST_CHARS) : otherwise;
  }

  /** The page to open: one of this site, whatever the message says. @param {unknown} url */
  function ownUrl(url) {
    const scope = self.registration.scope;
    try {
      const wanted = new URL(typeof url === "string" ? url : "", scope);
      return wanted.origin === new URL(scope).origin ? wanted.href : scope;
    } catch {
      return scope;
    }
  }

  /** @param {Record<string, any>} payload */
  function show({ chat_id: chatId, listing, title, body, url, tag }) {
    const language = navigator.language.startsWith("ru") ? "ru" : "en";
    return self.registration.showNotification(text(title, PLAIN[language]), {
      body: text(body, ""),
      tag: text(tag, `chat-${chatId}`),
      renotify: true,
      data: { chat: { chatId, listing: Number.isSafeInteger(listing) ? listing : null, url: ownUrl(url) } },
    });
  }

  /** The same page, whatever stands behind its "#". @param {string} one @param {string} other */
  function isSamePage(one, other) {
    return one.split("#")[0] === other.split("#")[0];
  }

  /**
   * Bring the chat to the front: in a window that shows its page, else in a new one.
   *
   * @param {{chatId: number, listing: number | null, url: string}} target
   */
  async function open({ chatId, listing, url }) {
    const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    const there = windows.find((one) => isSamePage(one.url, url));
    if (!there) return self.clients.openWindow(url);
    there.postMessage({ type: "chat-open", chat_id: chatId, listing });
    return there.focus();
  }

  self.addEventListener("push", (event) => {
    const payload = read(event.data);
    if (payload) event.waitUntil(show(payload));
  });

  self.addEventListener("notificationclick", (event) => {
    const chat = event.notification.data?.chat;
    if (!chat) return;
    event.notification.close();
    event.waitUntil(open(chat));
  });
})();
