import { codeMarkdown, markdownTable, plainMarkdown } from '../core/markdown.ts';
import type { ImageDiff } from './image-diff.ts';
import type { ChangeKind, PlatformDiff } from './platform-diff.ts';
import { biggestRows, type ChangeRow, changeRows, factRows, KIND_HEADINGS } from './rows.ts';

/** Rows of a table above which nobody reads on; the rest is counted, and `--json` has it. */
const MOST_ROWS = 200;

/**
 * A comparison as Markdown for a job summary or a comment: what each platform weighs, then the changes, folded. At most `rows` changes are
 * listed, for GitHub takes 1 MiB a summary and 65,536 characters a comment.
 */
export function diffMarkdown(name: string, diff: ImageDiff, rows: number = MOST_ROWS): string {
  return [
    `### ${plainMarkdown(name)}\n`,
    `${codeMarkdown(diff.old.reference)} → ${codeMarkdown(diff.new.reference)}\n`,
    factsMarkdown(diff),
    changesMarkdown(diff, { rows }),
  ].join('\n');
}

/** The table of what each platform weighs; `more` are rows that go before, of cells that are Markdown. */
export function factsMarkdown({ platforms }: ImageDiff, more: readonly (readonly string[])[] = []): string {
  const facts = factRows(platforms).map((fact) => [fact.name, ...fact.cells.map(plainMarkdown)]);
  return markdownTable(headingsOf(platforms), [...more, ...facts]);
}

const headingsOf = (platforms: readonly PlatformDiff[], first = ''): string[] => [
  first,
  ...platforms.map(({ platform }) => plainMarkdown(platform)),
];

/** What changed, folded, at most `rows` of it, and the largest packages, unless `biggest` is false. */
export function changesMarkdown(
  { platforms }: ImageDiff,
  { rows, biggest = true }: { readonly rows: number; readonly biggest?: boolean },
): string {
  const changes = changeRows(platforms);
  const largest = biggest
    ? biggestRows(platforms).map((row) => [codeMarkdown(row.name), ...row.cells.map(plainMarkdown)])
    : [];
  return [
    changes.length === 0
      ? `${nothing(platforms)}\n`
      : folded(countsText(changes), changeTable(platforms, changes, rows)),
    ...(largest.length === 0
      ? []
      : [folded('largest packages', markdownTable(headingsOf(platforms, 'package'), largest))]),
  ].join('\n');
}

const nothing = (platforms: readonly PlatformDiff[]): string =>
  platforms.some(({ packages }) => packages === null)
    ? 'The packages of both images are not known.'
    : 'No package changed.';

const folded = (summary: string, content: string): string =>
  `<details><summary>${summary}</summary>\n\n${content}\n</details>\n`;

/** `3 upgraded, 1 added`. */
function countsText(rows: readonly ChangeRow[]): string {
  const counts = Map.groupBy(rows, ({ kind }) => kind);
  return KIND_HEADINGS.flatMap(([kind, heading]) => {
    const count = counts.get(kind)?.length ?? 0;
    return count === 0 ? [] : [`${count} ${heading}`];
  }).join(', ');
}

function changeTable(platforms: readonly PlatformDiff[], rows: readonly ChangeRow[], most: number): string {
  const order: readonly ChangeKind[] = KIND_HEADINGS.map(([kind]) => kind);
  const sorted = rows.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  const more = sorted.length - most;
  const table = markdownTable(
    ['package', 'change', 'versions', ...platforms.map(({ platform }) => plainMarkdown(platform))],
    sorted
      .slice(0, most)
      .map(({ kind, name, versions, cells }) => [
        codeMarkdown(name),
        kind,
        versions === '' ? '' : codeMarkdown(versions),
        ...cells.map(plainMarkdown),
      ]),
  );
  return more > 0 ? `${table}\n${more} more\n` : table;
}
