import { h } from "../client/dom.js";
import { hueOf, initials } from "../client/faces.js";
import { ownPath } from "../config.js";

/**
 * A picture of a person or group: their own, where this server has it, else their initials on a colour that is always
 * the same for the same key.
 *
 * @param {object} options
 * @param {string} options.name
 * @param {string | number} options.key what the colour is made from
 * @param {"person" | "group"} [options.shape]
 * @param {string | null} [options.url]
 * @param {"small" | "medium" | "large" | "huge"} [options.size]
 */
export function avatar({ name, key, shape = "person", url = null, size = "medium" }) {
  const element = h(
    "span",
    { class: `avatar avatar-${shape} avatar-${size} hue-${hueOf(String(key))}`, "aria-hidden": "true" },
    initials(name),
  );
  const path = ownPath(url);
  if (path) {
    const picture = h("img", { src: path, alt: "", loading: "lazy", decoding: "async" });
    picture.addEventListener("error", () => picture.remove());
    element.append(picture);
  }
  return element;
}
