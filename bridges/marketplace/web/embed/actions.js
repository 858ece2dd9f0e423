import { ask, openPicture } from "./sheet.js";

/**
 * What is done in a chat besides talking; loaded when it is. All of them reject with `ApiError`.
 *
 * @typedef {object} Place
 * @property {import("./market.js").Market} market
 * @property {number} chatId
 * @property {import("./texts.js").Texts} texts
 * @property {HTMLElement} element where a question may stand
 */

/** Ask, and then block the other side. @param {Place} place @returns {Promise<boolean>} whether it was done */
export async function block({ market, chatId, texts, element }) {
  const { t } = texts;
  const answer = await ask(element, { title: t("block.title"), text: t("block.ask"), confirm: t("block.confirm"), texts });
  if (answer !== null) await market.block(chatId);
  return answer !== null;
}

/** Ask why, and then report a message. @param {Place} place @param {number} messageId @returns {Promise<boolean>} */
export async function report({ market, chatId, texts, element }, messageId) {
  const { t } = texts;
  const reason = await ask(element, { title: t("report.title"), label: t("report.reason"), confirm: t("report.confirm"), texts });
  if (reason !== null) await market.report(chatId, messageId, reason);
  return reason !== null;
}

/** Show a picture in full size. @param {Place} place @param {{url: string, name: string}} picture */
export function enlarge({ texts, element }, picture) {
  openPicture(element, picture, texts);
}
