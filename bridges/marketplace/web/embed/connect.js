import { Identity } from "./identity.js";
import { Market } from "./market.js";
import { readOptions } from "./options.js";
import { textsFor } from "./texts.js";

/**
 * What the buyer's window and the seller's inbox both stand on.
 *
 * @param {import("./options.js").Given} given
 * @param {Parameters<typeof textsFor>[1]} [more] texts of one part only
 */
export async function connect(given, more) {
  const options = readOptions(given);
  const identity = new Identity(options);
  const market = new Market({ ...options, identity });
  return { options, identity, market, texts: await textsFor(options.lang, more) };
}
