import { Emitter } from "./emitter.js";
import { SessionOver } from "./api.js";

const FIRST_DELAY_MS = 700;
const LONGEST_DELAY_MS = 15000;
const MOST_ATTEMPTS = 5;
const STABLE_MS = 5000;
const OPEN_TIMEOUT_MS = 10000;
const NORMAL_CLOSURE = 1000;
const POLICY_VIOLATION = 1008;

/**
 * `failed`: it gave up after several attempts and waits for `retry()`. `refused`: the server does not want us here.
 *
 * @typedef {"connecting" | "open" | "waiting" | "failed" | "refused" | "closed"} SocketState
 * @typedef {{type: string, payload: any}} Frame
 */

/**
 * A WebSocket that comes back by itself: up to five attempts with growing pauses, at once when the browser is online
 * again, never after a normal closure. A refusal (1008) renews the token and tries once more.
 *
 * @extends {Emitter<{frame: Frame, state: SocketState}>}
 */
export class Socket extends Emitter {
  #api;
  #path;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {SocketState} */
  #state = "closed";
  #attempts = 0;
  #refusals = 0;
  #round = 0;
  #timer = 0;
  #token = "";
  #onOnline = () => this.retry();
  #onOffline = () => this.#drop();

  /**
   * @param {import("./api.js").Api} api where the token comes from
   * @param {string} path
   */
  constructor(api, path) {
    super();
    this.#api = api;
    this.#path = path;
  }

  get state() {
    return this.#state;
  }

  open() {
    if (this.#state !== "closed") return;
    addEventListener("online", this.#onOnline);
    addEventListener("offline", this.#onOffline);
    void this.#connect();
  }

  /** Close for good. */
  close() {
    removeEventListener("online", this.#onOnline);
    removeEventListener("offline", this.#onOffline);
    this.#forget();
    this.#become("closed");
  }

  /** Try again now, however often it failed before. */
  retry() {
    if (this.#state === "open" || this.#state === "closed" || this.#state === "connecting") return;
    this.#attempts = 0;
    this.#refusals = 0;
    void this.#connect();
  }

  /** Give up the connection, which seems to be dead though it says nothing, and make a new one. */
  restart() {
    if (this.#state !== "open") return this.retry();
    void this.#connect();
  }

  /**
   * @param {string} type
   * @param {object} payload
   * @returns {boolean} whether the frame went out
   */
  send(type, payload) {
    if (this.#state !== "open" || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify({ type, payload }));
    return true;
  }

  async #connect() {
    this.#forget();
    const round = this.#round;
    this.#become("connecting");
    try {
      this.#token = await this.#api.freshToken();
    } catch (error) {
      if (round !== this.#round) return;
      if (error instanceof SessionOver) return this.close();
      return this.#wait();
    }
    if (round !== this.#round) return;
    const url = new URL(this.#path, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("token", this.#token);
    this.#listen(new WebSocket(url), round);
  }

  /**
   * @param {WebSocket} socket
   * @param {number} round names this connection; what an earlier one still says is not heard
   */
  #listen(socket, round) {
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#drop(), OPEN_TIMEOUT_MS);
    socket.addEventListener("open", () => {
      if (round !== this.#round) return;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        this.#attempts = 0;
        this.#refusals = 0;
      }, STABLE_MS);
      this.#become("open");
    });
    socket.addEventListener("message", (event) => {
      if (round !== this.#round) return;
      const frame = readFrame(event.data);
      if (frame) this.emit("frame", frame);
    });
    socket.addEventListener("close", (event) => {
      if (round === this.#round) void this.#closed(event.code);
    });
  }

  /** @param {number} code */
  async #closed(code) {
    this.#forget();
    if (code === NORMAL_CLOSURE) return this.#become("failed");
    if (code !== POLICY_VIOLATION) return this.#wait();
    this.#refusals += 1;
    if (this.#refusals > 1) return this.#become("refused");
    const round = this.#round;
    this.#become("connecting");
    try {
      await this.#api.renew(this.#token);
    } catch (error) {
      if (round !== this.#round) return;
      if (error instanceof SessionOver) return this.close();
    }
    if (round === this.#round) await this.#connect();
  }

  /** The connection is gone though nobody closed it. */
  #drop() {
    if (this.#state !== "open" && this.#state !== "connecting") return;
    this.#forget();
    this.#wait();
  }

  #wait() {
    if (this.#attempts >= MOST_ATTEMPTS) return this.#become("failed");
    const delay = Math.min(FIRST_DELAY_MS * 2 ** this.#attempts, LONGEST_DELAY_MS);
    this.#attempts += 1;
    this.#timer = setTimeout(() => void this.#connect(), delay * (0.75 + Math.random() / 2));
    this.#become("waiting");
  }

  #forget() {
    clearTimeout(this.#timer);
    this.#round += 1;
    const socket = this.#socket;
    this.#socket = null;
    if (socket?.readyState === WebSocket.OPEN) socket.close(NORMAL_CLOSURE);
    // Browsers complain when a socket is closed before it is open.
    else socket?.addEventListener("open", () => socket.close(NORMAL_CLOSURE));
  }

  /** @param {SocketState} state */
  #become(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.emit("state", state);
  }
}

/**
 * @param {unknown} data
 * @returns {Frame | null}
 */
function readFrame(data) {
  if (typeof data !== "string") return null;
  try {
    const frame = JSON.parse(data);
    return typeof frame?.type === "string" ? { type: frame.type, payload: frame.payload ?? {} } : null;
  } catch {
    return null;
  }
}
