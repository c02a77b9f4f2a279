import { wrap } from '../../src/host/wrap.ts';
import { code, renderTable } from './markdown.ts';

/** One input, secret or output, as a table shows it. */
export interface FieldRow {
  readonly name: string;
  /** Undefined for what has no type, such as outputs. */
  readonly type?: string;
  /** Its default, `required`, or empty. */
  readonly fallback?: string;
  /** Sentences in plain Markdown. */
  readonly description: string;
}

/** Columns that editors and terminals show whole. */
export const WIDTH = 120;

const cells = ({ name, type, fallback }: FieldRow, text: string): string[] => [
  code(name),
  ...(type === undefined ? [] : [type]),
  ...(fallback === undefined ? [] : [fallback]),
  text,
];

/** What a row with these cells takes of a line. */
const widthOf = (row: readonly string[]): number => `| ${row.join(' | ')} |`.length;

/** A sentence of fewer letters says too little alone. */
const ENOUGH = 30;

/** Where a description may be broken off: before one of `marks`, but not in code type. */
const breaksIn = (text: string, marks: string): number[] =>
  [...text.matchAll(new RegExp(`\`[^\`]*\`|[${marks}](?=\\s|$)|(?<=\\w) `, 'g'))]
    .filter(([found]) => marks.includes(found))
    .map(({ index }) => index);

/** As much of the description as fits, whole sentences rather than clauses or words, and `…` where that is not all. */
const shortened = (row: FieldRow): string => {
  const fits = (text: string): boolean => widthOf(cells(row, text)) <= WIDTH;
  if (fits(row.description)) return row.description;
  const at = (marks: string): string =>
    breaksIn(row.description, marks)
      .map((index) => `${row.description.slice(0, index)} …`)
      .filter(fits)
      .at(-1) ?? '…';
  return [at('.'), at('.:;,')].find((text) => text.length > ENOUGH) ?? at(' ');
};

/** A table whose lines are short; descriptions that it breaks off stand in full in a list below it. */
export const renderFieldTable = (head: readonly string[], rows: readonly FieldRow[]): string => {
  if (rows.length === 0) return '';
  const table = renderTable(
    head,
    rows.map((row) => cells(row, shortened(row))),
  );
  const long = rows.filter((row) => shortened(row) !== row.description);
  const list = long
    .map(({ name, description }) => `${wrap(`- ${code(name)}: ${description}`, WIDTH - 2).join('\n  ')}\n`)
    .join('');
  return list === '' ? table : `${table}\nIn full, where the table has no room:\n\n${list}`;
};
