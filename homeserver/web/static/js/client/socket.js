import { Emitter } from "./emitter.js";
import { SessionOver } from "./errors.js";

const FIRST_DELAY_MS = 700;
const LONGEST_DELAY_MS = 15000;
const STABLE_MS = 5000;
const OPEN_TIMEOUT_MS = 10000;
const ANSWER_TIMEOUT_MS = 10000;
const NORMAL_CLOSURE = 1000;
const POLICY_VIOLATION = 1008;

/**
 * `failed`: it gave up after several attempts and waits for `retry()`. `refused`: the server does not want us here.
 *
 * @typedef {"connecting" | "open" | "waiting" | "failed" | "refused" | "closed"} SocketState
 *
 * @typedef {object} Line what a socket needs to know
 * @property {() => Promise<string | URL>} address where to connect, asked for each time; SessionOver ends it all
 * @property {() => Promise<unknown>} [renew] called after a refusal, which is then tried once more; SessionOver ends it all
 * @property {number} [mostAttempts] in a row, before it gives up; without a number it never does
 * @property {number} [pingMs] how often to ask whether the server is still there
 */

/**
 * A WebSocket that comes back by itself: with growing pauses, at once when the browser is online again, never after a
 * normal closure. A refusal (1008) is tried once more. Frames are JSON objects with a `type`.
 *
 * @template {{type: string}} Frame
 * @extends {Emitter<{frame: Frame, state: SocketState}>}
 */
export class Socket extends Emitter {
  #line;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {SocketState} */
  #state = "closed";
  #attempts = 0;
  #refusals = 0;
  #round = 0;
  #timer = 0;
  #pinger = 0;
  #onOnline = () => this.retry();
  #onOffline = () => this.#drop();

  /** @param {Line} line */
  constructor(line) {
    super();
    this.#line = line;
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
   * @param {object} frame
   * @returns {boolean} whether it went out
   */
  sendFrame(frame) {
    return this.#put(JSON.stringify(frame));
  }

  /** @param {string} text */
  #put(text) {
    if (this.#state !== "open" || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(text);
    return true;
  }

  async #connect() {
    this.#forget();
    const round = this.#round;
    this.#become("connecting");
    let address;
    try {
      address = await this.#line.address();
    } catch (error) {
      if (round !== this.#round) return;
      if (error instanceof SessionOver) return this.close();
      return this.#wait();
    }
    if (round !== this.#round) return;
    const url = new URL(address, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
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
      this.#ping();
      this.#become("open");
    });
    socket.addEventListener("message", (event) => {
      if (round !== this.#round) return;
      this.#ping();
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
    if (this.#refusals > 1 || !this.#line.renew) return this.#become("refused");
    const round = this.#round;
    this.#become("connecting");
    try {
      await this.#line.renew();
    } catch (error) {
      if (round !== this.#round) return;
      if (error instanceof SessionOver) return this.close();
    }
    if (round === this.#round) await this.#connect();
  }

  /** Ask after a while of silence; no answer at all means that the connection is dead. */
  #ping() {
    const { pingMs } = this.#line;
    if (!pingMs) return;
    clearTimeout(this.#pinger);
    this.#pinger = setTimeout(() => {
      this.#put("ping");
      this.#pinger = setTimeout(() => this.restart(), ANSWER_TIMEOUT_MS);
    }, pingMs);
  }

  /** The connection is gone though nobody closed it. */
  #drop() {
    if (this.#state !== "open" && this.#state !== "connecting") return;
    this.#forget();
    this.#wait();
  }

  #wait() {
    if (this.#attempts >= (this.#line.mostAttempts ?? Infinity)) return this.#become("failed");
    const delay = Math.min(FIRST_DELAY_MS * 2 ** this.#attempts, LONGEST_DELAY_MS);
    this.#attempts += 1;
    this.#timer = setTimeout(() => void this.#connect(), delay * (0.75 + Math.random() / 2));
    this.#become("waiting");
  }

  #forget() {
    clearTimeout(this.#timer);
    clearTimeout(this.#pinger);
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
 * @returns {any} the frame; null for what is none
 */
function readFrame(data) {
  if (typeof data !== "string") return null;
  try {
    const frame = JSON.parse(data);
    return typeof frame?.type === "string" ? frame : null;
  } catch {
    return null;
  }
}
