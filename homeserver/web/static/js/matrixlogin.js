// The page by which a Matrix client logs in that does not know how to (client-server API, "Login Fallback").
import { ApiError } from "./client/errors.js";
import { bind, bindAround, failure } from "./forms.js";
import { t } from "./i18n.js";
import { post, showDone } from "./matrixcall.js";

const FORWARDED = ["device_id", "initial_device_display_name"];

/** What the client wants of its session. @returns {Record<string, string | boolean>} */
function wishes() {
  const query = new URLSearchParams(location.search);
  /** @type {Record<string, string | boolean>} */
  const found = {};
  for (const name of FORWARDED) {
    const value = query.get(name);
    if (value) found[name] = value;
  }
  if (query.get("refresh_token") === "true") found.refresh_token = true;
  return found;
}

/**
 * Who is meant: a user name, a whole Matrix id, or an e-mail.
 *
 * @param {string} name
 */
function identifier(name) {
  const isEmail = /^[^@\s]+@[^@\s]+$/.test(name);
  return isEmail ? { type: "m.id.thirdparty", medium: "email", address: name } : { type: "m.id.user", user: name };
}

/**
 * @param {string} name
 * @param {string} password
 * @returns {Promise<object>} the server's answer
 */
function logIn(name, password) {
  const body = { ...wishes(), type: "m.login.password", identifier: identifier(name.trim()), password };
  return post("/_matrix/client/v3/login", body);
}

/**
 * What went wrong, for people.
 *
 * @param {unknown} error
 */
function explain(error) {
  if (error instanceof ApiError && error.status === 403) return t("login.bad_user");
  return failure(error);
}

/**
 * Hand the session to the client that opened this page, by the name of the specification or the older one.
 *
 * @param {object} answer
 */
function handOver(answer) {
  showDone();
  const client = /** @type {any} */ (window);
  if (typeof client.onLogin === "function") client.onLogin(answer);
  else if (typeof client.matrixLogin?.onLogin === "function") client.matrixLogin.onLogin(answer);
}

const form = /** @type {HTMLFormElement} */ (document.getElementById("login-form"));
bind(form, async ({ user, password }) => handOver(await logIn(user, password)), explain);
bindAround();
document.getElementById("login-user")?.focus();
