import { bindAccount } from "./account.js";

bindAccount(() => /** @type {any} */ (globalThis).sellerChatsManager?.refresh());
