import { h } from "./dom.js";

const LINK = /\bhttps?:\/\/[^\s<>"'`]+/giu;
const LONGEST_SHOWN = 80;

/**
 * Text as nodes, with web addresses as links. Only http and https become links; everything else stays text.
 *
 * @param {string} text
 * @returns {Node[]}
 */
export function linkify(text) {
  /** @type {Node[]} */
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const address = trimEnd(match[0]);
    const url = parse(address);
    if (!url) continue;
    if (match.index > end) nodes.push(document.createTextNode(text.slice(end, match.index)));
    const shown = address.length > LONGEST_SHOWN ? `${address.slice(0, LONGEST_SHOWN - 1)}…` : address;
    nodes.push(h("a", { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow", title: url.href }, shown));
    end = match.index + address.length;
  }
  if (end < text.length) nodes.push(document.createTextNode(text.slice(end)));
  return nodes;
}

/**
 * Take punctuation off that belongs to the sentence: a full stop, or a bracket that was opened before the address.
 *
 * @param {string} address
 */
function trimEnd(address) {
  let trimmed = address;
  for (;;) {
    const last = trimmed.at(-1) ?? "";
    const isStray = last === ")" && count(trimmed, ")") > count(trimmed, "(");
    if (!/[.,;:!?…»\]}]/u.test(last) && !isStray) return trimmed;
    trimmed = trimmed.slice(0, -1);
  }
}

/** @param {string} text @param {string} sign */
function count(text, sign) {
  return text.split(sign).length - 1;
}

/** @param {string} address */
function parse(address) {
  try {
    const url = new URL(address);
    return /^https?:$/.test(url.protocol) && url.hostname ? url : null;
  } catch {
    return null;
  }
}

const EMOJI_ONLY = /^(?:\p{Extended_Pictographic}|\p{Regional_Indicator}{2})(?:\p{Emoji_Modifier}|\uFE0F|\u200D\p{Extended_Pictographic})*$/u;

/** Whether a text is one to three emoji and nothing else; such a text is shown large. @param {string} text */
export function isEmojiOnly(text) {
  const trimmed = text.trim();
  if (!trimmed || trimmed.length > 40 || typeof Intl.Segmenter !== "function") return false;
  const signs = [...new Intl.Segmenter().segment(trimmed)].map((part) => part.segment).filter((sign) => sign.trim());
  return signs.length <= 3 && signs.every((sign) => EMOJI_ONLY.test(sign));
}
