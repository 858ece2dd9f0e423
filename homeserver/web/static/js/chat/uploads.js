import { Emitter } from "../client/emitter.js";
import { read } from "../client/request.js";
import { upload } from "../client/upload.js";

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
  #ending = new AbortController();

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
    this.#ending = new AbortController();
    this.#become("sending", 0);
    try {
      const token = await api.freshToken();
      let answer = await this.#post(path, fields, token);
      if (answer.status === 401) answer = await this.#post(path, fields, await api.renew(token));
      const attachment = read(answer);
      this.#become("done", 1);
      return attachment;
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
    this.#ending.abort();
  }

  /** Let go of the preview. */
  dispose() {
    if (this.previewUrl) URL.revokeObjectURL(this.previewUrl);
    this.previewUrl = null;
  }

  /**
   * @param {string} path
   * @param {Record<string, string>} fields
   * @param {string} token
   */
  #post(path, fields, token) {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    form.append("file", this.file, this.file.name || "file");
    const onProgress = (/** @type {number} */ progress) => {
      if (!this.isCancelled) this.#become("sending", progress);
    };
    return upload(path, form, { token, onProgress, signal: this.#ending.signal });
  }

  /** @param {UploadState} state @param {number} progress */
  #become(state, progress) {
    this.state = state;
    this.progress = progress;
    this.emit("change", null);
  }
}
