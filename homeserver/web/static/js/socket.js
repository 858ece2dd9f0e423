import { Socket as Reconnecting } from "./client/socket.js";

const MOST_ATTEMPTS = 5;

/**
 * @typedef {import("./client/socket.js").SocketState} SocketState
 * @typedef {{type: string, payload?: any}} Frame
 */

/**
 * A WebSocket of the chat API. A refusal renews the token.
 *
 * @extends {Reconnecting<Frame>}
 */
export class Socket extends Reconnecting {
  /**
   * @param {import("./api.js").Api} api where the token comes from
   * @param {string} path
   */
  constructor(api, path) {
    let token = "";
    super({
      address: async () => {
        token = await api.freshToken();
        const url = new URL(path, location.href);
        url.searchParams.set("token", token);
        return url;
      },
      renew: () => api.renew(token),
      mostAttempts: MOST_ATTEMPTS,
    });
  }

  /**
   * @param {string} type
   * @param {object} payload
   * @returns {boolean} whether the frame went out
   */
  send(type, payload) {
    return this.sendFrame({ type, payload });
  }
}
