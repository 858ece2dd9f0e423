const COUNT = /^\(\d+\+?\) /;

/**
 * Show a count in front of the page's title, whatever the page has made of it meanwhile.
 *
 * @param {number} count
 */
export function showInTitle(count) {
  const plain = document.title.replace(COUNT, "");
  const wanted = count > 0 ? `(${count > 99 ? "99+" : count}) ${plain}` : plain;
  if (document.title !== wanted) document.title = wanted;
}
