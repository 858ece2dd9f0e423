import { h, icon, iconButton } from "../client/dom.js";

/** @typedef {import("./texts.js").Texts} Texts */

/**
 * A picture of this server's, small; all of it on a click.
 *
 * @param {{url: string, name: string, size: number | null}} file
 * @param {Texts} texts
 * @param {(picture: {url: string, name: string}) => void} onPicture
 */
export function pictureView({ url, name, size }, texts, onPicture) {
  const picture = h("img", { src: url, alt: name, loading: "lazy", decoding: "async" });
  const button = h("button", { type: "button", class: "picture", "aria-label": texts.t("file.open", { name }), on: { click: () => onPicture({ url, name }) } }, picture);
  picture.addEventListener("error", () => button.replaceWith(fileView({ own: url, url, name, size }, texts)));
  return button;
}

/**
 * Any other file; of one on another site nothing is loaded before somebody follows the link.
 *
 * @param {{own: string | null, url: string | null, name: string, size: number | null}} file
 * @param {Texts} texts
 */
export function fileView({ own, url, name, size }, texts) {
  const content = [
    h("span", { class: "file-icon" }, icon("file", 22)),
    h("span", { class: "file-text" }, h("bdi", { class: "file-name" }, name), size !== null && h("span", { class: "file-size" }, texts.size(size))),
  ];
  const link = { class: "file", target: "_blank", rel: "noopener noreferrer nofollow" };
  if (own) return h("a", { ...link, href: own, download: name, "aria-label": texts.t("file.download", { name }) }, content);
  if (!url || !/^https?:\/\//i.test(url)) return h("span", { class: "file" }, content);
  return h("a", { ...link, href: url, "aria-label": texts.t("file.foreign", { name }) }, content);
}

/**
 * A file on its way: preview, how far it is, and a way to stop it.
 *
 * @param {import("./log.js").Sending} sending
 * @param {Texts} texts
 * @param {(() => void) | null} onRemove
 */
export function sendingView({ file, previewUrl, progress, stored }, texts, onRemove) {
  const { name } = file;
  return h(
    "div",
    { class: "sending" },
    previewUrl ? h("img", { class: "sending-preview", src: previewUrl, alt: "" }) : h("span", { class: "file-icon" }, icon("file", 22)),
    h(
      "span",
      { class: "file-text" },
      h("bdi", { class: "file-name" }, name),
      h("span", { class: "file-size" }, texts.size(file.size)),
      !stored && progress > 0 && h("progress", { max: 1, value: progress, "aria-label": texts.t("file.progress", { name }) }),
    ),
    onRemove && !stored && iconButton("close", texts.t("file.remove", { name }), onRemove, { class: "sending-remove" }),
  );
}
