export interface Column<T> {
  readonly heading: string;
  readonly cell: (row: T) => string;
  /** Numbers stand to the right. */
  readonly right?: boolean;
}

/** A Markdown table (GitHub's dialect). Bars in cells are escaped. */
export function markdownTable<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const heads = line(columns.map(({ heading }) => heading));
  const rule = `| ${columns.map(({ right }) => (right ? '---:' : '---')).join(' | ')} |`;
  return [heads, rule, ...rows.map((row) => line(columns.map(({ cell }) => cell(row))))].join('\n');
}
