import { ApiError, errorOf } from "../api.js";
import { Emitter } from "../emitter.js";

const PREVIEWED = /^image\/(png|jpeg|gif|webp|avif)$/;

/** @typedef {"waiting" | "sending" | "done" | "failed" | "cancelled"} UploadState */

/**
 * One file on its way to the server.
 *
 * @extends {Emitter<{change: null}>}
 */
export class Upload extends Emitter {
  /** @type {UploadState} */
  state = "waiting";
  /** Part of the file that is over there, 0 to 1. */
  progress = 0;
  /** @type {string | null} */
  previewUrl;
  /** @type {XMLHttpRequest | null} */
  #request = null;

  /** @param {File} file */
  constructor(file) {
    super();
    this.file = file;
    this.previewUrl = PREVIEWED.test(file.type) ? URL.createObjectURL(file) : null;
  }

  /**
   * Send it. A refused token is renewed once.
   *
   * @param {import("../api.js").Api} api
   * @param {string} path
   * @param {Record<string, string>} fields sent before the file
   * @returns {Promise<import("../chatapi.js").Attachment>}
   */
  async send(api, path, fields) {
    this.#become("sending", 0);
    try {
      const token = await api.freshToken();
      let answer = await this.#post(path, fields, token);
      if (answer.status === 401) answer = await this.#post(path, fields, await api.renew(token));
      if (answer.status < 200 || answer.status > 299) {
        throw errorOf(answer.status, answer.responseText, answer.getResponseHeader("Retry-After"));
      }
      this.#become("done", 1);
      return JSON.parse(answer.responseText);
    } catch (error) {
      if (!this.isCancelled) this.#become("failed", 0);
      throw error;
    }
  }

  get isCancelled() {
    return this.state === "cancelled";
  }

  cancel() {
    if (this.state === "done") return;
    this.#become("cancelled", 0);
    this.#request?.abort();
  }

  /** Let go of the preview. */
  dispose() {
    if (this.previewUrl) URL.revokeObjectURL(this.previewUrl);
    this.previewUrl = null;
  }

  /**
   * XMLHttpRequest, since fetch does not tell how far an upload is.
   *
   * @param {string} path
   * @param {Record<string, string>} fields
   * @param {string} token
   * @returns {Promise<XMLHttpRequest>}
   */
  #post(path, fields, token) {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    form.append("file", this.file, this.file.name || "file");
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      this.#request = request;
      request.upload.addEventListener("progress", (event) => {
        if (event.lengthComputable && !this.isCancelled) this.#become("sending", event.loaded / event.total);
      });
      request.addEventListener("load", () => resolve(request));
      request.addEventListener("error", () => reject(new ApiError(0, "network", "The upload broke off.")));
      request.addEventListener("abort", () => reject(new ApiError(0, "cancelled", "The upload was cancelled.")));
      request.open("POST", path);
      request.setRequestHeader("Authorization", `Bearer ${token}`);
      request.send(form);
    });
  }

  /** @param {UploadState} state @param {number} progress */
  #become(state, progress) {
    this.state = state;
    this.progress = progress;
    this.emit("change", null);
  }
}
