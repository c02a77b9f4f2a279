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

/** Of a row's tags, those that fit beside everything else. */
const TAGS_WIDTH = 26;

/** Rows of a summary; GitHub drops summaries above 1 MiB. */
const SUMMARY_ROWS = 200;

/** What a place lost, in numbers. */
interface PrunedCounts {
  readonly manifests: number;
  readonly tags: number;
  readonly left: number;
}

/** Counts what went, or would go in a dry run. */
export function prunedCounts(rows: readonly PrunedRow[]): PrunedCounts {
  const done = rows.filter(({ left }) => left === null);
  return {
    manifests: rows.reduce((sum, { manifests }) => sum + manifests, 0),
    tags: done.reduce((sum, { tags }) => sum + tags.length, 0),
    left: rows.length - done.length,
  };
}

function headline(pruned: Pruned, rows: readonly PrunedRow[]): string {
  const { manifests, tags, left } = prunedCounts(rows);
  const stay = countText(pruned.decisions.length - manifests, 'manifest');
  if (rows.length === 0) return `nothing to remove; kept ${stay}`;
  const what = `${countText(manifests, 'manifest')} and ${countText(tags, 'tag')}`;
  const still = left === 0 ? '' : `; ${left} could not be removed`;
  const size = sizeText(pruned.freed);
  return pruned.isDryRun
    ? `would remove ${what}, ${size}; would keep ${stay}`
    : `removed ${what}, ${size}${still}; kept ${stay}`;
}

const tagsText = ({ tags, digest }: PrunedRow): string => (tags.length > 0 ? tags.join(', ') : shortDigest(digest));

const reason = ({ action, why, left }: PrunedRow): string =>
  left === null ? `${action === 'untag' ? 'tag only: ' : ''}${why}` : `still there: ${left}`;

/** What a place lost as a person reads it in a terminal. Tags come from whoever pushed them. */
export function prunedText(pruned: Pruned): string {
  const rows = prunedRows(pruned);
  const cells = rows.map((row) => [
    `  ${truncate(plainLine(tagsText(row)), TAGS_WIDTH)}`,
    row.manifests === 0 ? '' : countText(row.manifests, 'manifest'),
    row.manifests === 0 ? '' : sizeText(row.bytes),
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
    row.tags.length > 0 ? row.tags.map(codeMarkdown).join(' ') : codeMarkdown(shortDigest(row.digest)),
    row.manifests === 0 ? '' : String(row.manifests),
    row.manifests === 0 ? '' : sizeText(row.bytes),
    plainMarkdown(reason(row)),
  ]);
  const more = rows.length - shown.length;
  return [
    `### ${codeMarkdown(pruned.name)}`,
    '',
    `${pruned.isDryRun ? 'Dry run: ' : ''}${headline(pruned, rows)}.`,
    '',
    ...(cells.length > 0 ? [markdownTable(['tags', 'manifests', 'bytes', 'why'], cells)] : []),
    ...(more > 0 ? [`and ${more} more`, ''] : []),
  ].join('\n');
}
