import en from "./i18n/en.js";
import ru from "./i18n/ru.js";

/**
 * A text: plain, or by plural form of the parameter `count`. `{name}` is replaced by the parameter of that name.
 *
 * @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Text
 */

/** @type {Record<string, Record<string, Text>>} */
const dictionaries = { en, ru };

/** The server chose it: from `?lang=`, from an earlier choice, from what the browser asks for. */
export const language = document.documentElement.lang in dictionaries ? document.documentElement.lang : "en";

/** The same with the reader's country, which decides how times and numbers look: en-GB has 24 hours, en-US has 12. */
export const locale = navigator.languages.find((tag) => tag.toLowerCase().split("-")[0] === language) ?? language;

const plural = new Intl.PluralRules(language);
const numbers = new Intl.NumberFormat(locale);

/**
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string} the text in the reader's language
 */
export function t(key, values = {}) {
  const text = dictionaries[language][key] ?? dictionaries.en[key];
  if (text === undefined) return key;
  const form = typeof text === "string" ? text : (text[plural.select(Number(values.count))] ?? text.other ?? "");
  return form.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === "number" ? numbers.format(value) : String(value ?? "");
  });
}
