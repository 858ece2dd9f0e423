import { ICONS } from "./icons.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * @typedef {Node | string | number | null | undefined | false} Child
 * @typedef {Record<string, unknown>} Properties
 */

/**
 * Make an element. Text only ever becomes text nodes; there is no way to hand in markup.
 *
 * Properties: `class`, `dataset` (an object), `on` (event name -> listener), and attributes by their own names;
 * `true` sets an empty attribute, `false`, `null` and `undefined` set none. `value` is set as a property.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties | null} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) setProperty(element, name, value);
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/**
 * @param {HTMLElement} element
 * @param {string} name
 * @param {unknown} value
 */
function setProperty(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "on") {
    for (const [event, listener] of Object.entries(/** @type {Record<string, EventListener>} */ (value))) {
      element.addEventListener(event, listener);
    }
  } else if (name === "dataset") {
    Object.assign(element.dataset, value);
  } else if (name === "value") {
    /** @type {HTMLInputElement} */ (element).value = String(value);
  } else if (/^(on|style$|srcdoc$)/i.test(name)) {
    throw new Error(`${name} may not be set as an attribute.`);
  } else {
    element.setAttribute(name, value === true ? "" : String(value));
  }
}

/**
 * One of our own line icons; decorative, so a control that has nothing else needs a label.
 *
 * @param {keyof typeof ICONS} name
 * @param {number} [size] in CSS pixels
 * @returns {SVGSVGElement}
 */
export function icon(name, size = 20) {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = { viewBox: "0 0 24 24", width: size, height: size, class: "icon", "aria-hidden": "true", focusable: "false" };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, String(value));
  for (const path of ICONS[name]) {
    const element = document.createElementNS(SVG, "path");
    element.setAttribute("d", path);
    svg.append(element);
  }
  return svg;
}

/**
 * A button that shows only an icon.
 *
 * @param {keyof typeof ICONS} name
 * @param {string} label what a screen reader says and the tooltip shows
 * @param {(event: Event) => void} onClick
 * @param {Properties} [properties]
 */
export function iconButton(name, label, onClick, properties = {}) {
  const { class: extra = "", ...rest } = properties;
  return h(
    "button",
    { type: "button", class: `icon-button ${extra}`.trim(), "aria-label": label, title: label, on: { click: onClick }, ...rest },
    icon(name),
  );
}

/**
 * Show or hide an element.
 *
 * @param {HTMLElement} element
 * @param {boolean} visible
 */
export function show(element, visible) {
  element.hidden = !visible;
}

/**
 * Make these the children of `parent`, in this order, moving as few as possible: an element that stays where it is keeps
 * its focus and its scroll position.
 *
 * @param {HTMLElement} parent
 * @param {HTMLElement[]} elements
 */
export function arrange(parent, elements) {
  const root = /** @type {Document | ShadowRoot} */ (parent.getRootNode());
  let next = parent.firstElementChild;
  for (const element of elements) {
    if (element === next) {
      next = next.nextElementSibling;
      continue;
    }
    const focused = element.contains(root.activeElement) ? root.activeElement : null;
    parent.insertBefore(element, next);
    if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  }
}

/**
 * A function that runs once things have been quiet for a while.
 *
 * @template {unknown[]} Args
 * @param {number} delayMs
 * @param {(...args: Args) => void} action
 * @returns {((...args: Args) => void) & {cancel: () => void}}
 */
export function debounce(delayMs, action) {
  let timer = 0;
  const debounced = (/** @type {Args} */ ...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...args), delayMs);
  };
  return Object.assign(debounced, { cancel: () => clearTimeout(timer) });
}

/** A random name that nobody else will choose. Works on plain http, where `crypto.randomUUID` does not. */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
