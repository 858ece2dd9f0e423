import { h, icon } from "../client/dom.js";
import { t } from "../i18n.js";
import { openDialog } from "./dialog.js";

/**
 * A picture in full size.
 *
 * @param {{path: string, name: string}} picture
 */
export function openLightbox({ path, name }) {
  const image = h("img", { class: "lightbox-image", src: path, alt: name });
  const download = h("a", { class: "button", href: path, download: name }, icon("download", 18), t("action.download"));
  const dialog = openDialog({ title: name, content: [image], actions: [download], className: "lightbox" });
  image.addEventListener("click", () => dialog.close());
}
