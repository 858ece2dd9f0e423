/** A request that was not answered as wished. `status` 0: there was no answer. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code the server's stable name for the error, or "network"
   * @param {string} detail for people
   * @param {number | null} [retryAfterMs]
   */
  constructor(status, code, detail, retryAfterMs = null) {
    super(detail);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same request may well succeed later. */
  get isPassing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** The login has ended: a new one is needed. */
export class SessionOver extends ApiError {
  constructor() {
    super(401, "session_over", "The session has ended.");
    this.name = "SessionOver";
  }
}

/**
 * The error that an answer's body describes.
 *
 * @param {{status: number, text: string, retryAfter: string | null}} answer
 */
export function errorOf({ status, text, retryAfter }) {
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy's own error page, for example; the status says enough.
  }
  const detail = typeof body?.detail === "string" ? body.detail : `HTTP ${status}`;
  const seconds = Number(retryAfter);
  return new ApiError(status, String(body?.code ?? "error"), detail, seconds > 0 ? seconds * 1000 : null);
}
