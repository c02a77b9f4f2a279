const START = '<!-- generated: bench -->';
const END = '<!-- /generated -->';

/** Replaces what stands between the marks in a page. Throws when the marks are not there. */
export function replaceMarked(page: string, text: string): string {
  const from = page.indexOf(START);
  const to = page.indexOf(END, from);
  if (from < 0 || to < 0) throw new Error(`the page has no ${START} with ${END} after it`);
  return `${page.slice(0, from + START.length)}\n\n${text}\n\n${page.slice(to)}`;
}
