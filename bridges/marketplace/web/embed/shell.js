import { h } from "../client/dom.js";

/** @type {Map<string, Promise<CSSStyleSheet>>} */
const sheets = new Map();

/**
 * A place in a page that the page's own styles do not reach, and whose styles do not leave it.
 *
 * @typedef {object} Shell
 * @property {HTMLElement} host what stands in the page
 * @property {ShadowRoot} root
 * @property {HTMLElement} frame where the content goes
 */

/**
 * @param {object} options
 * @param {string} options.name class of the host, and of the frame in it
 * @param {"auto" | "light" | "dark"} options.theme
 * @param {string} options.lang
 * @param {string} options.style the style sheet beside this module
 * @returns {Promise<Shell>} not yet in the page
 */
export async function makeShell({ name, theme, lang, style }) {
  const sheet = await load(style);
  const host = h("div", { class: name, "data-theme": theme });
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [sheet];
  const frame = h("div", { class: `frame ${name}-frame`, lang, "data-theme": theme });
  root.append(frame);
  return { host, root, frame };
}

/**
 * Read as text and adopted: a page with a content security policy need not allow foreign style sheets.
 *
 * @param {string} file
 * @returns {Promise<CSSStyleSheet>}
 */
function load(file) {
  const known = sheets.get(file);
  if (known) return known;
  const loading = fetch(new URL(file, import.meta.url), { credentials: "omit" }).then(async (response) => {
    if (!response.ok) throw new Error(`${file}: HTTP ${response.status}`);
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(await response.text());
    return sheet;
  });
  sheets.set(file, loading);
  loading.catch(() => sheets.delete(file));
  return loading;
}
