/**
 * What the parts of the chat share, made once by `ChatContainer`.
 *
 * @typedef {object} ChatContext
 * @property {import("../api.js").Api} api
 * @property {import("../chatapi.js").ChatApi} chatApi
 * @property {import("../session.js").Session} session
 * @property {import("./people.js").People} people
 * @property {import("./conversations.js").Conversations} conversations
 * @property {import("./live.js").Live} live
 * @property {import("../client/typing.js").OthersTyping} typing
 * @property {import("./presence.js").Presence} online
 * @property {import("../ui/toast.js").Toasts} toasts
 * @property {import("../client/announcer.js").Announcer} announcer
 * @property {Map<string, import("./composer.js").Composer["draft"]>} drafts by conversation
 * @property {(conversation: import("../chatapi.js").Conversation | null) => boolean} isAdmin whether we are its admin
 */

export {};
