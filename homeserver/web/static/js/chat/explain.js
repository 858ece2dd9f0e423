import { ApiError } from "../client/errors.js";
import { t } from "../i18n.js";

/**
 * What went wrong, for people. Errors that are no answer of the server are faults of this page and are thrown on.
 *
 * @param {unknown} error
 * @returns {string}
 */
export function explain(error) {
  if (!(error instanceof ApiError)) throw error;
  if (error.status === 0) return t("error.network");
  if (error.code === "blocked") return t("error.blocked");
  if (error.code === "word_refused") return t("error.word_refused");
  if (error.status === 403) return t("error.forbidden");
  if (error.status === 404) return t("error.not_found");
  if (error.status === 413) return t("error.too_large");
  if (error.status === 429) return t("error.rate_limited", { count: Math.ceil((error.retryAfterMs ?? 1000) / 1000) });
  if (error.status >= 500) return t("error.server");
  return error.message;
}
