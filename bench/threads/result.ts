import { countText } from '../../src/core/count.ts';
import { median } from '../statistics.ts';

/** Who is measured; peers use as many threads as they see cores. */
export const WHO = ['nix-images', 'skopeo'] as const;

/** What layers are compressed with. */
export const CODECS = ['gzip', 'zstd'] as const;

/** One cold publish with so many threads, on as many cores where the machine has more. */
export interface ThreadRun {
  readonly who: (typeof WHO)[number];
  readonly codec: (typeof CODECS)[number];
  readonly threads: number;
  readonly wallSeconds: number;
  /** User and system time of the program and what it started. */
  readonly cpuSeconds: number;
  /** Of its main thread alone, which speaks to the registry, as last seen; undefined for peers. */
  readonly mainSeconds: number | undefined;
  /** Most memory that one process held, in bytes. */
  readonly memory: number;
  /** Digests of the layers as stored, in their order. */
  readonly layers: readonly string[];
}

export interface ThreadsResult {
  readonly runs: readonly ThreadRun[];
  /** Of this machine. */
  readonly cores: number;
  /** Bytes of all layers before they are compressed. */
  readonly tarBytes: number;
  readonly loadBefore: number;
}

/** Cores and threads for which seconds are promised. */
const FAST_ON = 16;

/** Most seconds for each GB of tar there: 4 s and 2.5 s for 3.4 GB. */
const SECONDS_PER_GB = { gzip: 4 / 3.4, zstd: 2.5 / 3.4 } as const;

/** Most bytes of memory on up to four threads, and beyond that for the process and for each thread. */
const SMALL = { threads: 4, memory: 200e6 } as const;
const LARGE = { process: 110e6, thread: 25e6 } as const;

/** @internal Most memory that a publish with so many threads may take, in bytes. */
export const mostMemory = (threads: number): number =>
  threads <= SMALL.threads ? SMALL.memory : LARGE.process + threads * LARGE.thread;

/** Medians of the runs of one row. */
interface Row extends Pick<ThreadRun, 'who' | 'codec' | 'threads'> {
  readonly wall: number;
  readonly cpu: number;
  readonly main: number | undefined;
  readonly memory: number;
}

function rowsOf(runs: readonly ThreadRun[]): Row[] {
  const same = Map.groupBy(runs, ({ who, codec, threads }) => `${codec} ${who} ${threads}`);
  return [...same.values()].flatMap((rounds): Row | [] => {
    const [first] = rounds;
    if (first === undefined) return [];
    const { who, codec, threads } = first;
    const mains = rounds.flatMap(({ mainSeconds }) => mainSeconds ?? []);
    return {
      ...{ who, codec, threads },
      wall: median(rounds.map(({ wallSeconds }) => wallSeconds)),
      cpu: median(rounds.map(({ cpuSeconds }) => cpuSeconds)),
      main: mains.length > 0 ? median(mains) : undefined,
      memory: median(rounds.map(({ memory }) => memory)),
    };
  });
}

/** Codecs whose layers are not the same with every number of threads. */
const unequal = (runs: readonly ThreadRun[]): ThreadRun['codec'][] =>
  CODECS.filter((codec) => {
    const own = runs.filter((run) => run.who === 'nix-images' && run.codec === codec);
    return new Set(own.map(({ layers }) => layers.join(' '))).size > 1;
  });

/** What was promised and is not so, a line each: layers that differ, too much memory, and too many seconds where they are promised. */
export function missedThreads({ runs, cores, tarBytes }: ThreadsResult): string[] {
  const own = rowsOf(runs).filter(({ who }) => who === 'nix-images');
  const isFast = ({ codec, threads, wall }: Row): boolean =>
    cores < FAST_ON || threads < FAST_ON || wall <= (SECONDS_PER_GB[codec] * tarBytes) / 1e9;
  return [
    ...unequal(runs).map((codec) => `${codec}: layers differ by the number of threads`),
    ...own.flatMap((row) => [
      ...(row.memory <= mostMemory(row.threads)
        ? []
        : [`${nameOf(row)}: ${megabytes(row.memory)} MB, at most ${megabytes(mostMemory(row.threads))}`]),
      ...(isFast(row)
        ? []
        : [
            `${nameOf(row)}: ${row.wall.toFixed(2)} s, at most ${((SECONDS_PER_GB[row.codec] * tarBytes) / 1e9).toFixed(2)}`,
          ]),
    ]),
  ];
}

const nameOf = ({ codec, threads }: Row): string => `${codec}, ${countText(threads, 'thread')}`;

const megabytes = (bytes: number): string => String(Math.round(bytes / 1e6));

/** As a person reads it. */
export function threadsText(result: ThreadsResult): string {
  const { runs, cores, tarBytes, loadBefore } = result;
  const rows = rowsOf(runs).sort(
    (a, b) => a.codec.localeCompare(b.codec) || a.who.localeCompare(b.who) || a.threads - b.threads,
  );
  const least = ({ who, codec }: Row): Row | undefined => rows.find((row) => row.who === who && row.codec === codec);
  const missed = missedThreads(result);
  const seconds = CODECS.map((codec) => `${codec} ${((SECONDS_PER_GB[codec] * tarBytes) / 1e9).toFixed(2)}`);
  return [
    `load at the start ${loadBefore.toFixed(2)}; ${cores} cores; ${(tarBytes / 1e9).toFixed(2)} GB of tar`,
    '',
    'codec | who | threads | wall s | CPU s | CPU / that of the fewest threads | main thread s | main thread s / GB | MB',
    ...rows.map((row) => {
      const { codec, who, threads, wall, cpu, main, memory } = row;
      const more = (cpu / (least(row)?.cpu ?? cpu)).toFixed(2);
      const own = main === undefined ? ' | ' : `${main.toFixed(2)} | ${(main / (tarBytes / 1e9)).toFixed(2)}`;
      return `${codec} | ${who} | ${threads} | ${wall.toFixed(2)} | ${cpu.toFixed(2)} | ${more} | ${own} | ${megabytes(memory)}`;
    }),
    '',
    `the same layers with every number of threads: ${unequal(runs).length === 0 ? 'yes' : 'no'}`,
    `memory: at most ${megabytes(SMALL.memory)} MB up to ${SMALL.threads} threads, beyond that ${megabytes(LARGE.process)} MB and ${megabytes(LARGE.thread)} MB a thread`,
    `seconds with ${FAST_ON} threads: at most ${seconds.join(', ')}${cores < FAST_ON ? `; not judged, for that takes ${FAST_ON} cores` : ''}`,
    ...(missed.length === 0 ? ['reached'] : missed.map((line) => `missed: ${line}`)),
  ].join('\n');
}
