import { h, icon, iconButton } from "../client/dom.js";
import { ownPath } from "../config.js";
import { fileSize } from "../format.js";
import { t } from "../i18n.js";
import { openLightbox } from "../ui/lightbox.js";

const WIDEST = 340;
const TALLEST = 320;
const SMALLEST = 96;

/** @typedef {import("../chatapi.js").Attachment} Attachment */

/**
 * The files of a message: pictures side by side, everything else in lines.
 *
 * @param {Attachment[]} attachments
 * @returns {HTMLElement | null}
 */
export function attachmentsView(attachments) {
  if (attachments.length === 0) return null;
  const isPicture = (/** @type {Attachment} */ one) => one.file_type === "image" && ownPath(one.file_url) !== null;
  const pictures = attachments.filter(isPicture);
  const others = attachments.filter((one) => !isPicture(one));
  return h(
    "div",
    { class: "attachments" },
    pictures.length > 0 &&
      h("div", { class: "pictures", dataset: { count: Math.min(pictures.length, 4) } }, pictures.map((one) => pictureView(one, pictures.length === 1))),
    others.map((one) => (one.file_type === "video" && ownPath(one.file_url) ? videoView(one) : fileView(one))),
  );
}

/** @param {Attachment} attachment */
function nameOf(attachment) {
  return attachment.name || t("attachment.unnamed");
}

/**
 * @param {Attachment} attachment
 * @param {boolean} isAlone whether it keeps its own proportions
 */
function pictureView(attachment, isAlone) {
  const path = /** @type {string} */ (ownPath(attachment.file_url));
  const name = nameOf(attachment);
  const picture = h("img", { src: ownPath(attachment.thumbnail_url) ?? path, alt: name, loading: "lazy", decoding: "async" });
  const button = h(
    "button",
    { type: "button", class: "picture", "aria-label": t("attachment.open", { name }), on: { click: () => openLightbox({ path, name }) } },
    picture,
  );
  picture.addEventListener("error", () => {
    button.classList.add("is-broken");
    picture.replaceWith(icon("image", 32));
  });
  if (isAlone) {
    const { width, height } = fitted(attachment.width, attachment.height);
    // Through the style object, which the content security policy allows; keeps the place until it is loaded.
    picture.style.minWidth = `min(${width}px, 100%)`;
    picture.style.aspectRatio = `${width} / ${height}`;
  }
  return button;
}

/**
 * The size at which a picture is shown.
 *
 * @param {number | null | undefined} width
 * @param {number | null | undefined} height
 */
function fitted(width, height) {
  if (!width || !height) return { width: 260, height: 200 };
  const scale = Math.min(1, WIDEST / width, TALLEST / height);
  return {
    width: Math.max(SMALLEST, Math.round(width * scale)),
    height: Math.max(SMALLEST, Math.round(height * scale)),
  };
}

/** @param {Attachment} attachment */
function videoView(attachment) {
  const path = /** @type {string} */ (ownPath(attachment.file_url));
  const video = h("video", { class: "video", src: path, controls: true, preload: "metadata", "aria-label": nameOf(attachment) });
  video.addEventListener("error", () => video.replaceWith(fileView(attachment)));
  return video;
}

/** @param {Attachment} attachment */
function fileView(attachment) {
  const name = nameOf(attachment);
  const path = ownPath(attachment.file_url);
  const content = [
    h("span", { class: "file-icon" }, icon(attachment.file_type === "video" ? "video" : attachment.file_type === "image" ? "image" : "file")),
    h(
      "span",
      { class: "file-text" },
      h("span", { class: "file-name", dir: "auto" }, name),
      h("span", { class: "file-size" }, fileSize(attachment.file_size)),
    ),
  ];
  if (path) return h("a", { class: "file", href: path, download: name, "aria-label": t("attachment.download", { name }) }, content);
  const isLink = /^https?:\/\//i.test(attachment.file_url);
  if (!isLink) return h("span", { class: "file" }, content);
  return h("a", { class: "file", href: attachment.file_url, target: "_blank", rel: "noopener noreferrer nofollow" }, content);
}

/**
 * A file on its way: preview, how far it is, and a way to stop it.
 *
 * @param {import("./uploads.js").Upload} upload
 * @param {(() => void) | null} onCancel
 */
export function uploadView(upload, onCancel) {
  const bar = h("progress", { max: 1, value: 0, "aria-label": t("attachment.progress", { name: upload.file.name }) });
  const size = h("span", { class: "file-size" });
  const element = h(
    "div",
    { class: "upload" },
    upload.previewUrl
      ? h("img", { class: "upload-preview", src: upload.previewUrl, alt: "" })
      : h("span", { class: "file-icon" }, icon(upload.file.type.startsWith("video/") ? "video" : "file")),
    h("span", { class: "file-text" }, h("span", { class: "file-name", dir: "auto" }, upload.file.name), size, bar),
    onCancel && iconButton("close", t("attachment.remove", { name: upload.file.name }), onCancel, { class: "upload-cancel" }),
  );
  const draw = () => {
    element.dataset.state = upload.state;
    bar.value = upload.progress;
    bar.hidden = upload.state !== "sending";
    size.textContent = upload.state === "failed" ? t("attachment.failed") : fileSize(upload.file.size);
  };
  upload.on("change", draw);
  draw();
  return element;
}
