import { h } from "../client/dom.js";
import { hueOf, initials } from "../client/faces.js";

/**
 * The initials of a person, on a colour that is always the same for the same key.
 *
 * @param {string} name
 * @param {string} key
 */
export function avatar(name, key) {
  return h("span", { class: `avatar hue-${hueOf(key)}`, "aria-hidden": "true" }, initials(name));
}
