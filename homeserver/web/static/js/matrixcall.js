// What the pages that Matrix clients open have in common.
import { ApiError, errorOf } from "./client/errors.js";

/**
 * @param {string} address
 * @param {object} body
 * @returns {Promise<object>} the server's answer
 */
export async function post(address, body) {
  let answer;
  try {
    answer = await fetch(address, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new ApiError(0, "network", "");
  }
  const text = await answer.text();
  if (!answer.ok) throw errorOf({ status: answer.status, text, retryAfter: answer.headers.get("Retry-After") });
  return JSON.parse(text);
}

/** Say in place of the form that it is done. */
export function showDone() {
  for (const id of ["form-view", "done-view"]) {
    const view = /** @type {HTMLElement} */ (document.getElementById(id));
    view.hidden = id === "form-view";
  }
}
