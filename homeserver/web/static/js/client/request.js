import { ApiError, errorOf } from "./errors.js";

const TIMEOUT_MS = 20000;

/**
 * @typedef {{status: number, text: string, retryAfter: string | null}} Answer
 *
 * @typedef {object} Options
 * @property {Record<string, string | number | null | undefined>} [query] empty values are left out
 * @property {unknown} [body] sent as JSON
 * @property {string | null} [token]
 * @property {AbortSignal} [signal]
 * @property {RequestCredentials} [credentials] whether cookies go along; none do where nothing is said
 */

/**
 * Ask the server; any answer is good. An abort by `signal` is thrown as it is.
 *
 * @param {string} method
 * @param {string} address whole, or below this page's origin
 * @param {Options} [options]
 * @returns {Promise<Answer>}
 */
export async function send(method, address, { query = {}, body, token, signal, credentials = "omit" } = {}) {
  const url = new URL(address, location.origin);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), TIMEOUT_MS);
  const cancel = () => deadline.abort();
  signal?.addEventListener("abort", cancel);
  try {
    const response = await fetch(url, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: deadline.signal,
      cache: "no-store",
      credentials,
    });
    return { status: response.status, text: await response.text(), retryAfter: response.headers.get("Retry-After") };
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "network", "The server cannot be reached.");
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
  }
}

/**
 * @param {Answer} answer
 * @returns {any} what it says, null for an empty one; its error is thrown
 */
export function read(answer) {
  if (answer.status < 200 || answer.status > 299) throw errorOf(answer);
  return answer.text ? JSON.parse(answer.text) : null;
}
