import { Api } from "./api.js";
import { ApiError } from "./client/errors.js";
import { config } from "./config.js";
import { bind, bindAround, failure } from "./forms.js";
import { t } from "./i18n.js";
import { Session } from "./session.js";

const session = new Session();
const api = new Api(session, config.messengerPrefix);

/** Where to go after the login: only to the chat or a page at the root of this server, whatever the address says. */
function target() {
  const next = new URLSearchParams(location.search).get("next") ?? "";
  return /^\/(chat|[\w-]+\.html)(\?[\w=&-]*)?(#[\w=&-]*)?$/.test(next) ? next : "/chat";
}

/**
 * What went wrong, for people.
 *
 * @param {unknown} error
 */
function explain(error) {
  if (error instanceof ApiError && error.code === "bad_credentials") return t("login.bad_credentials");
  return failure(error);
}

/** @param {Promise<void>} done */
async function enter(done) {
  await done;
  location.replace(target());
}

/** @param {"login" | "register"} name */
function showView(name) {
  for (const view of ["login", "register"]) {
    const section = document.getElementById(`${view}-view`);
    if (section) section.hidden = view !== name;
  }
  /** @type {HTMLElement | null} */ (document.querySelector(`#${name}-view input`))?.focus();
}

function start() {
  if (session.read()) return location.replace(target());
  const loginForm = /** @type {HTMLFormElement} */ (document.getElementById("login-form"));
  const registerForm = /** @type {HTMLFormElement | null} */ (document.getElementById("register-form"));
  bind(loginForm, ({ email, password }) => enter(api.login({ email: email.trim(), password })), explain);
  if (registerForm) {
    const make = (/** @type {Record<string, string>} */ { email, password, display_name }) =>
      enter(api.register({ email: email.trim(), password, display_name: display_name.trim() }));
    bind(registerForm, make, explain);
  }
  for (const button of document.querySelectorAll("[data-show-view]")) {
    const view = /** @type {HTMLElement} */ (button).dataset.showView;
    button.addEventListener("click", () => showView(view === "register" ? "register" : "login"));
  }
  bindAround();
  for (const button of document.querySelectorAll(".demo-account")) {
    button.addEventListener("click", () => {
      const { email = "", password = "" } = /** @type {HTMLElement} */ (button).dataset;
      showView("login");
      /** @type {HTMLInputElement} */ (document.getElementById("login-email")).value = email;
      /** @type {HTMLInputElement} */ (document.getElementById("login-password")).value = password;
      loginForm.requestSubmit();
    });
  }
  const notice = /** @type {HTMLElement} */ (loginForm.querySelector("[data-error]"));
  if (new URLSearchParams(location.search).has("ended")) {
    notice.textContent = t("login.ended");
    notice.hidden = false;
  }
  if (registerForm && new URLSearchParams(location.search).get("mode") === "register") return showView("register");
  document.getElementById("login-email")?.focus();
}

start();
