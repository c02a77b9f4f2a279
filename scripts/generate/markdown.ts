/** A value in a table cell: one line, and no bar that would end the cell. */
const cell = (text: string): string => text.replace(/\s+/g, ' ').replaceAll('|', '\\|').trim();

/** A Markdown table; empty for no rows. */
export const renderTable = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  if (rows.length === 0) return '';
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |\n`;
  return line(head) + line(head.map(() => '---')) + rows.map(line).join('');
};

export const code = (text: string): string => `\`${text}\``;

const START = '<!-- generated: ';
const END = '<!-- /generated -->';

/**
 * `page` with the text between `<!-- generated: NAME -->` and `<!-- /generated -->` replaced. Without such a
 * marker the page stays as it is. Throws when a marker has no end.
 */
export const replaceGenerated = (page: string, name: string, text: string): string => {
  const marker = `${START}${name} -->`;
  const start = page.indexOf(marker);
  if (start === -1) return page;
  const from = start + marker.length;
  const end = page.indexOf(END, from);
  if (end === -1) throw new Error(`the marker ${marker} has no ${END}`);
  return `${page.slice(0, from)}\n\n${text.trim()}\n\n${page.slice(end)}`;
};
