// The page by which a person passes a stage that their Matrix client does not know (client-server API, "Fallback").
import { ApiError } from "./client/errors.js";
import { bind, bindAround, failure } from "./forms.js";
import { t } from "./i18n.js";
import { post, showDone } from "./matrixcall.js";

/**
 * What went wrong, for people.
 *
 * @param {unknown} error
 */
function explain(error) {
  if (error instanceof ApiError && error.status === 401) return t("stage.bad_token");
  if (error instanceof ApiError && [400, 403, 404].includes(error.status)) return t("stage.over");
  return failure(error);
}

/** Tell the client that opened this page; it asks the server itself, so that anybody may hear this. */
function tellClient() {
  const client = /** @type {any} */ (window);
  if (typeof client.onAuthDone === "function") client.onAuthDone();
  else if (window.opener) window.opener.postMessage("authDone", "*");
}

const form = /** @type {HTMLFormElement | null} */ (document.getElementById("stage-form"));
if (form) {
  const action = async (/** @type {Record<string, string>} */ shown) => {
    await post(location.pathname + location.search, shown);
    showDone();
    tellClient();
  };
  bind(form, action, explain);
  /** @type {HTMLElement | null} */ (form.querySelector("input"))?.focus();
}
bindAround();
