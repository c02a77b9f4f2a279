import { CASES } from '../cases.ts';
import { QUIET } from '../machine.ts';
import type { Result } from '../result.ts';
import { summarise } from '../summary.ts';
import { caseTable } from './case-table.ts';
import { figure, mebibytes, megabytes } from './figures.ts';
import { floorTable } from './floor-table.ts';
import { markdownTable } from './table.ts';
import { wholeWay } from './whole-way.ts';

/** The whole result as Markdown, without a heading of its own. */
export function report(result: Result): string {
  const rows = summarise(result.measurements);
  const cold = rows.filter((row) => row.case === 'cold');
  const cases = CASES.flatMap(({ name, title }) => {
    const here = rows.filter((row) => row.case === name);
    return here.length > 0 ? [`### ${title}`, caseTable(here)] : [];
  });
  return [
    circumstances(result),
    ...cases,
    '### Evaluation and layers pass',
    passes(result),
    ...(cold.length > 0 ? ['### Cold, the whole way from the definition', wholeWay(result, cold)] : []),
    ...(Object.keys(result.floors).length > 0 ? ['### The two-core floor', floorTable(result, cold)] : []),
    ...(result.bounds.length > 0 ? ['### Bounds: `tar` of the closure, piped into a program', bounds(result)] : []),
    ...failures(result),
  ].join('\n\n');
}

function circumstances({ date, machine, versions, commit, fixture, runs, loadBefore }: Result): string {
  const { name, paths, layers, unpackedBytes } = fixture;
  const busy = loadBefore > QUIET ? ' **Others were at work on the machine: these figures are provisional.**' : '';
  return [
    `- ${date.slice(0, 10)}, commit \`${commit}\``,
    `- machine: ${machine.cpu}, ${machine.cores} cores, ${mebibytes(machine.memoryBytes)} MiB, ${machine.distribution}, Linux ${machine.kernel}; load at the start ${figure(loadBefore)}.${busy}`,
    `- versions: ${Object.entries(versions)
      .map(([program, version]) => `${program} ${version}`)
      .join(', ')}`,
    `- closure: \`${name}\`, ${paths} store paths, ${megabytes(unpackedBytes)} MB as ${layers} uncompressed layers`,
    `- median of ${runs} ${runs === 1 ? 'run' : 'runs'}, those marked ¹ of one`,
  ].join('\n');
}

const passes = ({ evaluation, layersPass }: Result): string =>
  markdownTable(
    [
      { heading: 'what', cell: ({ what }) => what },
      { heading: 'wall s', right: true, cell: ({ usage }) => figure(usage.wallSeconds) },
      { heading: 'CPU s', right: true, cell: ({ usage }) => figure(usage.cpuSeconds) },
      { heading: 'largest process MiB', right: true, cell: ({ usage }) => mebibytes(usage.largestProcess) },
    ],
    [
      { what: '`nix eval` of the definition', usage: evaluation },
      { what: 'layers pass: read, tar, one SHA-256', usage: layersPass },
    ],
  );

const bounds = (result: Result): string =>
  markdownTable(
    [
      { heading: 'program', cell: ({ name }) => `\`${name}\`` },
      { heading: 'wall s', right: true, cell: ({ wallSeconds }) => figure(wallSeconds) },
      { heading: 'CPU s, tar included', right: true, cell: ({ cpuSeconds }) => figure(cpuSeconds) },
      { heading: 'output MB', right: true, cell: ({ outputBytes }) => megabytes(outputBytes) },
    ],
    result.bounds,
  );

const failures = ({ failures: failed }: Result): string[] =>
  failed.length === 0
    ? []
    : [
        '### Failed',
        failed.map(({ case: name, subject, message }) => `- ${subject}, ${name}: ${firstLine(message)}`).join('\n'),
      ];

const firstLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';
