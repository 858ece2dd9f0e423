import { locale, t } from "./i18n.js";

const DAY_MS = 86400000;

const clock = new Intl.DateTimeFormat(locale, { timeStyle: "short" });
const weekday = new Intl.DateTimeFormat(locale, { weekday: "short" });
const dayAndMonth = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
const longDay = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });
const fullDay = new Intl.DateTimeFormat(locale, { day: "numeric", month: "long", year: "numeric" });
const shortDate = new Intl.DateTimeFormat(locale, { day: "2-digit", month: "2-digit", year: "2-digit" });
const moment = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "short" });

/** @param {Date} date */
function startOfDay(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

/**
 * Whole days between the day of `date` and today: 0 today, 1 yesterday.
 *
 * @param {Date} date
 * @param {Date} now
 */
function daysAgo(date, now) {
  return Math.round((startOfDay(now) - startOfDay(date)) / DAY_MS);
}

/** Hours and minutes. @param {string} iso */
export function timeOfDay(iso) {
  return clock.format(new Date(iso));
}

/** A day with its year. @param {string} iso */
export function fullDate(iso) {
  return fullDay.format(new Date(iso));
}

/** Date and time in full, for tooltips and screen readers. @param {string} iso */
export function fullMoment(iso) {
  return moment.format(new Date(iso));
}

/**
 * A moment in the little room that a list has: a time today, a day name this week, a date before.
 *
 * @param {string} iso
 * @param {Date} [now]
 */
export function shortMoment(iso, now = new Date()) {
  const date = new Date(iso);
  const days = daysAgo(date, now);
  if (days <= 0) return clock.format(date);
  if (days === 1) return t("day.yesterday");
  if (days < 7) return weekday.format(date);
  return date.getFullYear() === now.getFullYear() ? dayAndMonth.format(date) : shortDate.format(date);
}

/**
 * The name of a day, for the dividers between messages.
 *
 * @param {string} iso
 * @param {Date} [now]
 */
export function dayName(iso, now = new Date()) {
  const date = new Date(iso);
  const days = daysAgo(date, now);
  if (days === 0) return t("day.today");
  if (days === 1) return t("day.yesterday");
  return date.getFullYear() === now.getFullYear() ? longDay.format(date) : fullDay.format(date);
}

/** A key that is equal for moments of one day. @param {string} iso */
export function dayKey(iso) {
  return String(startOfDay(new Date(iso)));
}

/** @param {number} bytes */
export function fileSize(bytes) {
  const units = /** @type {const} */ (["byte", "kilobyte", "megabyte", "gigabyte"]);
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit > 0 && value < 10 ? 1 : 0;
  const format = { style: "unit", unit: units[unit], unitDisplay: "short", maximumFractionDigits: digits };
  return new Intl.NumberFormat(locale, /** @type {Intl.NumberFormatOptions} */ (format)).format(value);
}

/** A count in a badge. @param {number} count */
export function badgeCount(count) {
  return count > 99 ? "99+" : String(count);
}
