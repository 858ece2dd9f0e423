import { ApiError } from "./errors.js";

/**
 * Send a form, and tell how far it is. XMLHttpRequest, since fetch does not tell.
 *
 * @param {string} url
 * @param {FormData} form
 * @param {object} [options]
 * @param {string | null} [options.token]
 * @param {(progress: number) => void} [options.onProgress] 0 to 1
 * @param {AbortSignal} [options.signal]
 * @param {boolean} [options.withCredentials] whether cookies go along to another origin
 * @returns {Promise<import("./request.js").Answer>} any answer; ApiError "network" or "cancelled" where there was none
 */
export function upload(url, form, { token, onProgress, signal, withCredentials = false } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const cancel = () => request.abort();
    const fail = (/** @type {ApiError} */ error) => {
      signal?.removeEventListener("abort", cancel);
      reject(error);
    };
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress?.(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      signal?.removeEventListener("abort", cancel);
      resolve({ status: request.status, text: request.responseText, retryAfter: request.getResponseHeader("Retry-After") });
    });
    request.addEventListener("error", () => fail(new ApiError(0, "network", "The upload broke off.")));
    request.addEventListener("abort", () => fail(new ApiError(0, "cancelled", "The upload was cancelled.")));
    if (signal?.aborted) return fail(new ApiError(0, "cancelled", "The upload was cancelled."));
    signal?.addEventListener("abort", cancel);
    request.open("POST", url);
    request.withCredentials = withCredentials;
    if (token) request.setRequestHeader("Authorization", `Bearer ${token}`);
    request.send(form);
  });
}
