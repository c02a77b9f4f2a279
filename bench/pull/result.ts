import { median } from '../statistics.ts';

/** How the image is stored: how many layers it may have, and how they are packed. */
export const WAYS = [
  { name: '100 layers, gzip', maxLayers: '100', compression: 'gzip' },
  { name: '100 layers, zstd', maxLayers: '100', compression: 'zstd' },
  { name: '100 layers, zstd:chunked', maxLayers: '100', compression: 'zstd:chunked' },
  // The closure in one, and one of links and files.
  { name: '2 layers, zstd', maxLayers: '2', compression: 'zstd' },
  { name: '2 layers, zstd:chunked', maxLayers: '2', compression: 'zstd:chunked' },
] as const;

export type WayName = (typeof WAYS)[number]['name'];

/**
 * What of the closure is another when the image is pulled again, as arguments of image.nix. Programs and libraries of what is rebuilt are others,
 * since Nix writes into each where it is and what it needs; data files keep their bytes.
 */
export const CHANGES = {
  leaf: { revision: '1' },
  library: { revision: '1', rebuilt: 'libssl3', otherPrograms: 'yes' },
  /** As where nothing of a rebuild names its path: the kindest case. */
  'library, same files': { revision: '1', rebuilt: 'libssl3' },
  everything: { revision: '1', rebuilt: 'gcc-12-base', otherPrograms: 'yes' },
} as const;

/** The pull into an empty store, and those after a change. */
export const STEPS = ['first', ...(Object.keys(CHANGES) as (keyof typeof CHANGES)[])] as const;

export type PullStep = (typeof STEPS)[number];

/** One pull. */
export interface PullRun {
  readonly way: WayName;
  readonly step: PullStep;
  /** That the registry sent. */
  readonly bytes: number;
  readonly seconds: number;
}

export interface PullResult {
  readonly runs: readonly PullRun[];
  readonly loadBefore: number;
}

const of = ({ runs }: PullResult, way: WayName, step: PullStep, what: 'bytes' | 'seconds'): number =>
  median(runs.filter((run) => run.way === way && run.step === step).map((run) => run[what]));

/** Columns are as wide as the longest name. */
const WIDTH = Math.max(...STEPS.map((step) => step.length));

const row = (name: string, cells: readonly string[]): string =>
  [name.padEnd(24), ...cells.map((cell) => cell.padStart(WIDTH))].join('  ').trimEnd();

/** Names of what was missed: after a change less is to be fetched of zstd:chunked than of zstd, whatever the layers. */
export const missedPull = (result: PullResult): string[] =>
  WAYS.filter(({ compression }) => compression === 'zstd:chunked').flatMap(({ name }) =>
    STEPS.filter((step) => step !== 'first' && ratio(result, name, step) >= 1).map((step) => `${name}, ${step}`),
  );

/** Bytes of zstd:chunked for each byte of zstd in as many layers. */
const ratio = (result: PullResult, way: WayName, step: PullStep): number => {
  const plain = WAYS.find(({ name }) => name === way.replace(':chunked', ''));
  return of(result, way, step, 'bytes') / of(result, plain?.name ?? way, step, 'bytes');
};

/** As a person reads it. */
export function pullText(result: PullResult): string {
  const missed = missedPull(result);
  const table = (what: 'bytes' | 'seconds', show: (value: number) => string): string[] =>
    WAYS.map(({ name }) =>
      row(
        name,
        STEPS.map((step) => show(of(result, name, step, what))),
      ),
    );
  const count = result.runs.filter(({ way, step }) => way === WAYS[0].name && step === 'leaf').length;
  return [
    row('MB that were sent', STEPS),
    ...table('bytes', (bytes) => (bytes / 1e6).toFixed(2)),
    ...WAYS.filter(({ compression }) => compression === 'zstd:chunked').map(({ name }) =>
      row(
        `${name.split(',')[0]}, of zstd's`,
        STEPS.map((step) => `${(ratio(result, name, step) * 100).toFixed(1)} %`),
      ),
    ),
    '',
    row('seconds on loopback', STEPS),
    ...table('seconds', (seconds) => seconds.toFixed(2)),
    '',
    `median of ${count}; load at the start ${result.loadBefore.toFixed(2)}`,
    missed.length === 0 ? 'less is sent after each change' : `missed: ${missed.join('; ')}`,
  ].join('\n');
}
