import { countText } from '../core/count.ts';
import { codeMarkdown, markdownTable, plainMarkdown } from '../core/markdown.ts';
import { plainLine } from '../core/printable.ts';
import { sizeText } from '../core/size.ts';
import { columns, truncate } from '../core/table.ts';
import { shortDigest } from '../oci/digest.ts';
import type { Pruned } from './prune.ts';
import { type PrunedRow, prunedRows } from './rows.ts';

/** Columns of a terminal that nobody has made larger. */
const WIDTH = 80;

/** Of a row's names, those that fit beside everything else. */
const NAMES_WIDTH = 26;

/** Rows of a summary; GitHub drops summaries above 1 MiB. */
const SUMMARY_ROWS = 200;

/** What a place lost, in numbers. */
interface PrunedCounts {
  readonly items: number;
  /** Names that are gone, whether with their items or without. */
  readonly names: number;
  readonly left: number;
  /** How many went a step further towards removal, by steps. */
  readonly steps: ReadonlyMap<string, number>;
}

/** Counts what went, or would go in a dry run. */
export function prunedCounts(rows: readonly PrunedRow[]): PrunedCounts {
  const done = rows.filter(({ left, action }) => left === null && action !== 'step');
  const steps = rows.filter(({ left }) => left === null).flatMap(({ step }) => step ?? []);
  return {
    items: rows.reduce((sum, { items }) => sum + items, 0),
    names: done.reduce((sum, { names }) => sum + names.length, 0),
    left: rows.filter(({ left }) => left !== null).length,
    steps: new Map([...Map.groupBy(steps, (step) => step)].map(([step, all]) => [step, all.length])),
  };
}

function headline(pruned: Pruned, rows: readonly PrunedRow[]): string {
  const { items, names, left, steps } = prunedCounts(rows);
  const stay = countText(pruned.decisions.length - items, pruned.noun);
  if (rows.length === 0) return `nothing to remove; kept ${stay}`;
  const what = `${countText(items, pruned.noun)}${areImages(pruned) ? ` and ${countText(names, 'tag')}` : ''}`;
  const staged = [...steps]
    .map(([step, count]) => `; ${pruned.isDryRun ? `would ${step}` : pastOf(step)} ${count}`)
    .join('');
  const still = left === 0 ? '' : `; ${left} could not be removed`;
  const size = sizeText(pruned.freed);
  return pruned.isDryRun
    ? `would remove ${what}, ${size}${staged}; would keep ${stay}`
    : `removed ${what}, ${size}${staged}${still}; kept ${stay}`;
}

/** `deprecated` of `deprecate`. */
const pastOf = (step: string): string => (step.endsWith('e') ? `${step}d` : `${step}ed`);

const areImages = ({ noun }: Pruned): boolean => noun === 'manifest';

const namesText = ({ names, id }: PrunedRow): string => (names.length > 0 ? names.join(', ') : shortDigest(id));

const reason = ({ action, step, why, left }: PrunedRow): string =>
  left === null
    ? `${action === 'untag' ? 'tag only: ' : step === undefined ? '' : `${step}: `}${why}`
    : `still there: ${left}`;

/** What a place lost as a person reads it in a terminal. Tags come from whoever pushed them. */
export function prunedText(pruned: Pruned): string {
  const rows = prunedRows(pruned);
  const cells = rows.map((row) => [
    `  ${truncate(plainLine(namesText(row)), NAMES_WIDTH)}`,
    row.items === 0 || !areImages(pruned) ? '' : countText(row.items, pruned.noun),
    row.items === 0 ? '' : sizeText(row.bytes),
    plainLine(reason(row)),
  ]);
  return [
    plainLine(pruned.name),
    `  ${headline(pruned, rows)}`,
    ...columns(cells, [1, 2]).map((line) => truncate(line, WIDTH)),
  ].join('\n');
}

/** The same as Markdown, for the job summary. */
export function prunedMarkdown(pruned: Pruned): string {
  const rows = prunedRows(pruned);
  const shown = rows.slice(0, SUMMARY_ROWS);
  const cells = shown.map((row) => [
    row.names.length > 0 ? row.names.map(codeMarkdown).join(' ') : codeMarkdown(shortDigest(row.id)),
    ...(areImages(pruned) ? [row.items === 0 ? '' : String(row.items)] : []),
    row.items === 0 ? '' : sizeText(row.bytes),
    plainMarkdown(reason(row)),
  ]);
  const more = rows.length - shown.length;
  return [
    `### ${codeMarkdown(pruned.name)}`,
    '',
    `${pruned.isDryRun ? 'Dry run: ' : ''}${headline(pruned, rows)}.`,
    '',
    ...(cells.length > 0
      ? [markdownTable([...(areImages(pruned) ? ['tags', 'manifests'] : [pruned.noun]), 'bytes', 'why'], cells)]
      : []),
    ...(more > 0 ? [`and ${more} more`, ''] : []),
  ].join('\n');
}
