import { Emitter } from "../client/emitter.js";
import { ApiError } from "../client/errors.js";
import { recall, remember } from "./store.js";

const POLICY = "chat-worker";
const KEPT = "chat_push"; // "<user id> <endpoint>" of the subscription that was made here

/**
 * `off`: can be turned on. `blocked`: the browser's owner said no. `none`: there is no push here.
 *
 * @typedef {"none" | "off" | "on" | "blocked"} PushState
 */

/**
 * Notifications of new messages while no page is open. Nothing is asked of anybody before they click.
 *
 * @extends {Emitter<{state: PushState}>}
 */
export class Push extends Emitter {
  #market;
  #worker;
  #userId;
  #key = "";
  /** @type {PushState} */
  #state = "none";

  /**
   * @param {import("./market.js").Market} market
   * @param {string | null} worker address of the service worker, on this page's own site; null: there is none
   * @param {string} userId
   */
  constructor(market, worker, userId) {
    super();
    this.#market = market;
    this.#worker = worker;
    this.#userId = userId;
  }

  get state() {
    return this.#state;
  }

  /** See what there is: a server that sends, a browser that can receive, a subscription made before. */
  async look() {
    if (!this.#worker || !isPossible()) return;
    try {
      this.#key = await this.#market.vapidKey();
    } catch (error) {
      if (error instanceof ApiError) return; // This server sends none.
      throw error;
    }
    const subscription = await ownSubscription(this.#userId);
    if (Notification.permission === "denied") return this.#become("blocked");
    if (!subscription || !hasKey(subscription, this.#key)) return this.#become("off");
    // The server may have dropped it meanwhile.
    await this.#market.subscribe(subscription.toJSON());
    this.#become("on");
  }

  /** Call it from a click: it asks for the permission. Rejects where the browser finds no way. */
  async turnOn() {
    const permission = await Notification.requestPermission();
    if (permission !== "granted") return this.#become(permission === "denied" ? "blocked" : "off");
    await navigator.serviceWorker.register(/** @type {string} */ (workerUrl(/** @type {string} */ (this.#worker))));
    const { pushManager } = await navigator.serviceWorker.ready;
    // One that was made with another key cannot be used by this server.
    await (await pushManager.getSubscription())?.unsubscribe();
    const subscription = await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytesOf(this.#key) });
    await this.#market.subscribe(subscription.toJSON());
    remember(KEPT, `${this.#userId} ${subscription.endpoint}`);
    this.#become("on");
  }

  async turnOff() {
    const subscription = await ownSubscription(this.#userId);
    remember(KEPT, null);
    if (subscription) {
      await subscription.unsubscribe();
      await this.#market.unsubscribe(subscription.endpoint);
    }
    this.#become("off");
  }

  /** @param {PushState} state */
  #become(state) {
    this.#state = state;
    this.emit("state", state);
  }
}

/** Whoever was signed in here must not go on telling this browser what they are told. */
export async function dropSubscription() {
  if (isPossible()) await ownSubscription("");
}

function isPossible() {
  return isSecureContext && "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
}

/**
 * The subscription that was made here for this person; one that was made for somebody else ends.
 *
 * @param {string} userId
 */
async function ownSubscription(userId) {
  const [keptFor, endpoint] = (recall(KEPT) ?? "").split(" ");
  const registration = endpoint ? await navigator.serviceWorker.getRegistration() : undefined;
  const subscription = await registration?.pushManager.getSubscription();
  if (!subscription || subscription.endpoint !== endpoint) return null; // a page may have pushes of its own
  if (keptFor === userId) return subscription;
  remember(KEPT, null);
  await subscription.unsubscribe();
  return null;
}

/** @param {PushSubscription} subscription @param {string} key */
function hasKey(subscription, key) {
  const own = subscription.options.applicationServerKey;
  const wanted = bytesOf(key);
  return own !== null && own.byteLength === wanted.length && new Uint8Array(own).every((byte, at) => byte === wanted[at]);
}

/** Base64 as addresses have it, to bytes. @param {string} text */
function bytesOf(text) {
  const base64 = text.replace(/-/g, "+").replace(/_/g, "/");
  return Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
}

/** @type {any} */
let policy = null;

/**
 * The worker's address for a page whose policy asks for trusted types; it is the page's own choice and of its own site.
 *
 * @param {string} worker
 */
function workerUrl(worker) {
  const types = /** @type {any} */ (window).trustedTypes;
  if (!types) return worker;
  policy ??= types.createPolicy(POLICY, {
    createScriptURL(/** @type {string} */ url) {
      if (new URL(url, location.href).origin !== location.origin) throw new TypeError("The worker must be of this site.");
      return url;
    },
  });
  return policy.createScriptURL(worker);
}
