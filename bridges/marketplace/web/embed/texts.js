import { ApiError } from "../client/errors.js";

const DAY_MS = 86400000;

/** @type {Record<string, string>} */
const BY_CODE = {
  bad_file_type: "error.bad_file",
  blocked: "error.blocked",
  own_object: "error.own",
  file_too_large: "error.too_large",
  listing_not_found: "error.no_listing",
  user_not_found: "error.no_listing",
};

/** @type {Record<number, string>} */
const BY_STATUS = { 401: "error.session", 404: "error.gone", 413: "error.too_large" };

/**
 * A text: plain, or by plural form of the value `count`. `{name}` is replaced by the value of that name.
 *
 * @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Text
 * @typedef {Record<string, Text>} Dictionary
 */

/** Texts, times and sizes in the reader's language. */
export class Texts {
  #texts;
  #plural;
  #numbers;
  #clock;
  #day;
  #moment;

  /** @param {"ru" | "en"} lang @param {Dictionary} texts */
  constructor(lang, texts) {
    this.lang = lang;
    // With the reader's country, which decides how times look: en-GB has 24 hours, en-US has 12.
    const locale = navigator.languages.find((tag) => tag.toLowerCase().split("-")[0] === lang) ?? lang;
    this.#texts = texts;
    this.#plural = new Intl.PluralRules(lang);
    this.#numbers = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
    this.#clock = new Intl.DateTimeFormat(locale, { timeStyle: "short" });
    this.#day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "long" });
    this.#moment = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "short" });
  }

  /** @param {string} key @param {Record<string, string | number>} [values] */
  t = (key, values = {}) => {
    const text = this.#texts[key] ?? key;
    const form = typeof text === "string" ? text : (text[this.#plural.select(Number(values.count))] ?? text.other ?? "");
    return form.replace(/\{(\w+)\}/g, (_, name) => {
      const value = values[name];
      return typeof value === "number" ? this.#numbers.format(value) : String(value ?? "");
    });
  };

  /** What went wrong, for people. Errors that are no answer of the server are faults of ours and are thrown on. @param {unknown} error */
  explain(error) {
    if (!(error instanceof ApiError)) throw error;
    const { status, code, retryAfterMs } = error;
    if (status === 0) return this.t("error.network");
    if (status === 429) return this.t("error.wait", { count: Math.ceil((retryAfterMs ?? 1000) / 1000) });
    const known = BY_CODE[code] ?? BY_STATUS[status];
    if (known) return this.t(known);
    return status >= 500 ? this.t("error.server") : error.message;
  }

  /** Hours and minutes. @param {string} iso */
  time(iso) {
    return this.#clock.format(new Date(iso));
  }

  /** Date and time in full. @param {string} iso */
  moment(iso) {
    return this.#moment.format(new Date(iso));
  }

  /** The name of a day. @param {string} iso */
  day(iso) {
    const days = daysAgo(new Date(iso));
    if (days === 0) return this.t("day.today");
    return days === 1 ? this.t("day.yesterday") : this.#day.format(new Date(iso));
  }

  /** A moment where there is little room: a time today, else a day. @param {string} iso */
  shortMoment(iso) {
    return daysAgo(new Date(iso)) <= 0 ? this.time(iso) : this.day(iso);
  }

  /** @param {number} bytes */
  size(bytes) {
    if (bytes < 1024) return this.t("size.bytes", { count: bytes });
    const isLarge = bytes >= 1024 * 1024;
    return this.t(isLarge ? "size.mega" : "size.kilo", { count: bytes / (isLarge ? 1024 * 1024 : 1024) });
  }
}

/** Whole days between a date and today. @param {Date} date */
function daysAgo(date) {
  const start = (/** @type {Date} */ one) => new Date(one.getFullYear(), one.getMonth(), one.getDate()).getTime();
  return Math.round((start(new Date()) - start(date)) / DAY_MS);
}

/**
 * @param {"ru" | "en"} lang
 * @param {Record<"ru" | "en", Dictionary>} [more] texts of one part only
 */
export async function textsFor(lang, more) {
  const own = await import(`./texts/${lang}.js`);
  return new Texts(lang, { ...own.default, ...more?.[lang] });
}
