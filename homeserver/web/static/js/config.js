/**
 * What the server told this page about itself.
 *
 * @typedef {object} Config
 * @property {string} serverName
 * @property {string} publicUrl
 * @property {string | null} universityPrefix  path of the chat API, e.g. "/api/unet-chat"
 * @property {string | null} messengerPrefix  path of the API that has accounts, e.g. "/api/v1"
 * @property {boolean} registrationOpen
 */

/** @returns {Readonly<Config>} */
function read() {
  const block = document.getElementById("app-config");
  if (!block?.textContent) throw new Error("The page has no configuration block.");
  return Object.freeze(JSON.parse(block.textContent));
}

export const config = read();

/**
 * The path of a file that this server serves, or null for an address elsewhere. A page may be reached under
 * another name than the public one, so an address under the public name is taken as ours too.
 *
 * @param {string | null | undefined} url
 * @returns {string | null}
 */
export function ownPath(url) {
  if (!url) return null;
  let parsed;
  try {
    parsed = new URL(url, location.origin);
  } catch {
    return null;
  }
  const own = [location.origin, new URL(config.publicUrl).origin];
  if (!own.includes(parsed.origin) || !/^https?:$/.test(parsed.protocol)) return null;
  return parsed.pathname + parsed.search;
}
