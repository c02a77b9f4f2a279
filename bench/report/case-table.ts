import { type Ratio, ratioOf } from '../ratio.ts';
import type { Row } from '../summary.ts';
import { figure, mebibytes, megabytes } from './figures.ts';
import { type Column, markdownTable } from './table.ts';

interface Shown {
  readonly row: Row;
  readonly ratio: Ratio | undefined;
  /** Whether others of the case ran more often. */
  readonly single: boolean;
}

const COLUMNS: readonly Column<Shown>[] = [
  { heading: 'who', cell: ({ row }) => (row.kind === 'own' ? `**${row.subject}**` : row.subject) },
  { heading: 'wall s', right: true, cell: ({ row, single }) => `${figure(row.wallSeconds)}${single ? ' ¹' : ''}` },
  { heading: 'CPU s', right: true, cell: ({ row }) => figure(row.cpuSeconds) },
  { heading: 'registry CPU s', right: true, cell: ({ row }) => figure(row.registryCpuSeconds) },
  { heading: 'largest process MiB', right: true, cell: ({ row }) => mebibytes(row.largestProcess) },
  { heading: 'all processes MiB', right: true, cell: ({ row }) => mebibytes(row.tree) },
  { heading: 'sent MB', right: true, cell: ({ row }) => megabytes(row.bytesSent) },
  { heading: 'requests', right: true, cell: ({ row }) => String(row.requests) },
  { heading: 'layers', right: true, cell: ({ row }) => String(row.layers) },
  { heading: 'output MB', right: true, cell: ({ row }) => megabytes(row.outputBytes) },
  { heading: 'against best peer', right: true, cell: ({ ratio }) => ratioText(ratio) },
];

/** Everybody in one case: ours first, then by codec and wall time. */
export function caseTable(rows: readonly Row[]): string {
  const most = Math.max(...rows.map((row) => row.runs));
  const sorted = [...rows].sort(
    (a, b) => rank(a) - rank(b) || (a.codec < b.codec ? -1 : a.codec > b.codec ? 1 : a.wallSeconds - b.wallSeconds),
  );
  const shown = sorted.map((row) => ({ row, ratio: ratioOf(row, rows), single: row.runs < most }));
  return markdownTable(COLUMNS, shown);
}

const rank = (row: Row): number => (row.kind === 'own' ? 0 : 1);

const ratioText = (ratio: Ratio | undefined): string =>
  ratio === undefined ? '' : `${ratio.unlike ? '~' : ''}${figure(ratio.value)}x`;
