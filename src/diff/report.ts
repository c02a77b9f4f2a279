import { plainLine } from '../core/printable.ts';
import { columns, truncate } from '../core/table.ts';
import { shortDigest } from '../oci/digest.ts';
import type { ImageDiff } from './image-diff.ts';
import type { PlatformDiff } from './platform-diff.ts';
import { biggestRows, changeRows, factRows, KIND_HEADINGS } from './rows.ts';

/** Columns of a terminal that nobody has made larger. */
const WIDTH = 80;

/** Between columns. */
const GAP = 2;

type Row = readonly [string, ...string[]];

/**
 * A comparison as a person reads it in a terminal: what each platform weighs, then what became of the packages, each platform in a
 * column of its own. Names come from whoever made the images; none may look like another line of this report.
 */
export function diffText(diff: ImageDiff): string {
  const { platforms } = diff;
  const sections = [
    [
      ['', ...platforms.map(({ platform }) => platform)],
      ...factRows(platforms).map(({ name, cells }) => [name, ...cells]),
    ],
    ...changeSections(platforms),
    titled(
      'largest of the new image',
      biggestRows(platforms).map(({ name, cells }) => [`  ${name}`, ...cells]),
    ),
  ] as readonly (readonly Row[])[];
  const lines = [
    ...columns([
      ['old', diff.old.reference, digestText(diff.old.digest)],
      ['new', diff.new.reference, digestText(diff.new.digest)],
    ]),
    ...aligned(sections.filter((rows) => rows.length > 0)),
    ...notes(diff),
  ];
  return lines.map(plainLine).join('\n');
}

const digestText = (digest: string | null): string => (digest === null ? 'not published' : shortDigest(digest));

const titled = (heading: string, rows: readonly Row[]): readonly Row[] =>
  rows.length === 0 ? [] : [[heading], ...rows];

function changeSections(platforms: readonly PlatformDiff[]): (readonly Row[])[] {
  const rows = changeRows(platforms);
  return KIND_HEADINGS.map(([kind, heading]) =>
    titled(
      heading,
      rows
        .filter((row) => row.kind === kind)
        .map(({ name, versions, cells }): Row => [`  ${name} ${versions}`.trimEnd(), ...cells]),
    ),
  );
}

/** All sections in the same columns, a blank line before each; names are cut where a line would be longer than a terminal. */
function aligned(sections: readonly (readonly Row[])[]): string[] {
  const rows = sections.flat();
  const count = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: count - 1 }, (_, at) =>
    Math.max(...rows.map((row) => plainLine(row[at + 1] ?? '').length)),
  );
  const room = Math.max(WIDTH - widths.reduce((sum, width) => sum + width + GAP, 0), WIDTH / 4);
  const cut = rows.map(([name, ...cells]) => [cells.length > 0 ? truncate(plainLine(name), room) : name, ...cells]);
  const lines = columns(
    cut,
    widths.map((_, at) => at + 1),
  );
  const starts = new Set(sections.map((_, at) => sections.slice(0, at).flat().length));
  return lines.flatMap((line, at) => (starts.has(at) ? ['', line] : [line]));
}

/** What a person should know who sees no changes. */
function notes({ platforms }: ImageDiff): string[] {
  const unknown = platforms.filter(({ old, new: now, packages }) => old && now && packages === null);
  const isSame = platforms.every(({ old, new: now, packages }) => old && now && packages?.length === 0);
  return [
    ...(isSame ? ['', 'no package changed'] : []),
    ...unknown.map(({ platform }) => `\n${platform}: the maker of the images does not say which packages they hold`),
  ].flatMap((line) => line.split('\n'));
}
