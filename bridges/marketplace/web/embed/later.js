import { ApiError } from "../client/errors.js";

/**
 * A part that is loaded when it is needed: without a network it is missing as any answer of the server would be.
 *
 * @template Part
 * @param {Promise<Part>} loading
 * @returns {Promise<Part>}
 */
export async function later(loading) {
  try {
    return await loading;
  } catch {
    throw new ApiError(0, "network", "A part of the page cannot be loaded.");
  }
}
