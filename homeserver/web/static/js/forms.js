import { h, icon } from "./client/dom.js";
import { ApiError } from "./client/errors.js";
import { t } from "./i18n.js";

/**
 * What went wrong with a request, for people, where the page itself knows nothing better. Throws what is a bug.
 *
 * @param {unknown} error
 */
export function failure(error) {
  if (!(error instanceof ApiError)) throw error;
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
 * Let a form do something with what was written into it, once that is complete.
 *
 * @param {HTMLFormElement} form
 * @param {(data: Record<string, string>) => Promise<void>} action
 * @param {(error: unknown) => string} explain says what went wrong, for people; throws what is a bug
 */
export function bind(form, action, explain) {
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
    } catch (error) {
      notice.textContent = explain(error);
      notice.hidden = false;
    } finally {
      button.disabled = false;
      button.removeAttribute("aria-busy");
    }
  });
}

/** Let a button show the password beside it. @param {HTMLButtonElement} button */
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

/** Let a link to this page in another language keep what else is asked for. @param {HTMLAnchorElement} link */
function keepQuery(link) {
  const query = new URLSearchParams(location.search);
  query.set("lang", link.hreflang);
  link.search = query.toString();
}

/** What the forms of all pages of this kind have: buttons that show passwords, and links to other languages. */
export function bindAround() {
  for (const button of document.querySelectorAll("[data-reveal]")) bindReveal(/** @type {HTMLButtonElement} */ (button));
  for (const link of document.querySelectorAll(".languages a")) keepQuery(/** @type {HTMLAnchorElement} */ (link));
}
