import { Api } from "./api.js";
import { h, icon } from "./client/dom.js";
import { ApiError } from "./client/errors.js";
import { config } from "./config.js";
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
  if (!(error instanceof ApiError)) throw error;
  if (error.code === "bad_credentials") return t("login.bad_credentials");
  if (error.status === 0) return t("error.network");
  if (error.status === 429) return t("login.too_often", { count: Math.ceil((error.retryAfterMs ?? 60000) / 1000) });
  if (error.status >= 500) return t("error.server");
  return error.message;
}

/**
 * @param {HTMLInputElement} field
 * @returns {string | null} what is wrong with it
 */
function complaint(field) {
  if (field.validity.valueMissing) return t("login.missing");
  if (field.validity.typeMismatch) return t("login.bad_email");
  return null;
}

/**
 * Show what is wrong at each field, and go to the first.
 *
 * @param {HTMLFormElement} form
 * @returns {boolean} whether all fields are good
 */
function check(form) {
  let isGood = true;
  for (const field of form.querySelectorAll("input")) {
    const text = complaint(field);
    field.closest(".field")?.querySelector(".field-error")?.remove();
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
    if (!text) continue;
    const id = `${field.id}-error`;
    field.closest(".field")?.append(h("p", { class: "field-error", id }, text));
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", id);
    if (isGood) field.focus();
    isGood = false;
  }
  return isGood;
}

/**
 * @param {HTMLFormElement} form
 * @param {(data: Record<string, string>) => Promise<void>} action
 */
function bind(form, action) {
  const button = /** @type {HTMLButtonElement} */ (form.querySelector("button[type=submit]"));
  const notice = /** @type {HTMLElement} */ (form.querySelector("[data-error]"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    notice.hidden = true;
    if (button.disabled || !check(form)) return;
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    try {
      const entries = [...new FormData(form)].map(([name, value]) => [name, String(value)]);
      await action(Object.fromEntries(entries));
      location.replace(target());
    } catch (error) {
      notice.textContent = explain(error);
      notice.hidden = false;
    } finally {
      button.disabled = false;
      button.removeAttribute("aria-busy");
    }
  });
}

/** @param {"login" | "register"} name */
function showView(name) {
  for (const view of ["login", "register"]) {
    const section = document.getElementById(`${view}-view`);
    if (section) section.hidden = view !== name;
  }
  /** @type {HTMLElement | null} */ (document.querySelector(`#${name}-view input`))?.focus();
}

/** @param {HTMLButtonElement} button */
function bindReveal(button) {
  const field = /** @type {HTMLInputElement} */ (document.getElementById(button.dataset.reveal ?? ""));
  const draw = () => {
    const isShown = field.type === "text";
    button.setAttribute("aria-pressed", String(isShown));
    button.setAttribute("aria-label", (isShown ? button.dataset.hide : button.dataset.show) ?? "");
    button.replaceChildren(icon(isShown ? "eyeOff" : "eye"));
  };
  button.addEventListener("click", () => {
    field.type = field.type === "password" ? "text" : "password";
    draw();
  });
  draw();
}

function start() {
  if (session.read()) return location.replace(target());
  const loginForm = /** @type {HTMLFormElement} */ (document.getElementById("login-form"));
  const registerForm = /** @type {HTMLFormElement | null} */ (document.getElementById("register-form"));
  bind(loginForm, ({ email, password }) => api.login({ email: email.trim(), password }));
  if (registerForm) {
    bind(registerForm, ({ email, password, display_name }) =>
      api.register({ email: email.trim(), password, display_name: display_name.trim() }),
    );
  }
  for (const button of document.querySelectorAll("[data-show-view]")) {
    const view = /** @type {HTMLElement} */ (button).dataset.showView;
    button.addEventListener("click", () => showView(view === "register" ? "register" : "login"));
  }
  for (const button of document.querySelectorAll("[data-reveal]")) bindReveal(/** @type {HTMLButtonElement} */ (button));
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
  for (const link of document.querySelectorAll(".languages a")) keepQuery(/** @type {HTMLAnchorElement} */ (link));
  if (registerForm && new URLSearchParams(location.search).get("mode") === "register") return showView("register");
  document.getElementById("login-email")?.focus();
}

/** Changing the language keeps where to go after the login. @param {HTMLAnchorElement} link */
function keepQuery(link) {
  const query = new URLSearchParams(location.search);
  query.set("lang", link.hreflang);
  link.search = query.toString();
}

start();
