import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat, truncate } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { sizeText } from '../../src/core/size.ts';
import { programPath } from '../../test/support/tools.ts';
import { SCRATCH } from '../begin.ts';
import { quiet } from '../machine.ts';
import { startTimed, timed } from '../measure/timed.ts';
import type { Usage } from '../measure/usage.ts';
import { PROGRAM } from '../release.ts';
import { markdownTable } from '../report/table.ts';
import { median } from '../statistics.ts';
import { inTurns } from '../turns.ts';
import { MAKERS } from './makers.ts';
import type { DiskVersion } from './versions.ts';

/** Of the disk that is read: mostly hole, as disks are. */
const SIZE = 5 * 1024 ** 3;

/** The same data on so many times the disk, to see that holes cost nothing. */
const LARGER = 4;

/** On the larger disk the same may take so many times as long: what its frames and digests of zeros come to. */
const HIGHEST_LARGER = 1.3;

/** Digests may take so many times what openssl takes of the data, divided by the cores. */
const HIGHEST_HASH = 1.2;

/** Seconds of openssl from which on that says anything: of less data, the start of threads is most of ours. */
const LEAST_SECONDS = 0.5;

/** gzip -6 must take so many times what compressing a disk takes. */
const LEAST_PACKING = 3;

const MOST_MEMORY = 200e6;

const KINDS = ['hash', 'hashLarger', 'openssl', 'pack', 'packLarger', 'gzip'] as const;

type Kind = (typeof KINDS)[number];

/** What takes minutes, and far more than it is compared with: once. */
const ONCE: readonly Kind[] = ['gzip'];

/** Medians. */
export interface ReadingResult {
  readonly loadBefore: number;
  readonly cores: number;
  readonly dataBytes: number;
  readonly seconds: Readonly<Record<Kind, number>>;
  /** Of one process, in bytes. */
  readonly memory: Readonly<Record<Kind, number>>;
  readonly packedBytes: Readonly<Record<'pack' | 'packLarger' | 'gzip', number>>;
  /** How often each ran. */
  readonly runs: Readonly<Record<Kind, number>>;
}

/** Hashes and compresses a disk of 5 GiB with the closure's file system on it, beside openssl and gzip. */
export async function measureReading(
  base: DiskVersion,
  { runs, work, log }: { readonly runs: number; readonly work: string; readonly log: (line: string) => void },
): Promise<ReadingResult> {
  const [maker] = MAKERS;
  if (!maker) throw new Error('no disk to read');
  const scratch = await mkdtemp(join(work, SCRATCH));
  try {
    const [disk, data] = [join(scratch, 'disk.raw'), join(scratch, 'data')];
    await maker.make(base, disk, { scratch });
    await truncate(disk, SIZE);
    const own = (kind: string, out: string) => ({
      program: process.execPath,
      args: [join(import.meta.dirname, 'read-disk.ts'), kind, disk, PROGRAM, out],
    });
    const outOf = (kind: string): string => join(scratch, `out-${kind}`);
    await timed(own('data', data), scratch);
    const run: Readonly<Record<Kind, () => Promise<readonly [seconds: number, usage: Usage]>>> = {
      // Without the start of Node, which a build has behind it, and with that of the threads.
      hash: () => saidBy(own('hash', ''), scratch),
      hashLarger: () => larger(disk, () => saidBy(own('hash', ''), scratch)),
      openssl: async () =>
        whole(await timed({ program: programPath('openssl'), args: ['dgst', '-sha256', data] }, scratch)),
      pack: () => saidBy(own('pack', outOf('pack')), scratch),
      packLarger: () => larger(disk, () => saidBy(own('pack', outOf('packLarger')), scratch)),
      gzip: async () => whole(await gzipInto(disk, outOf('gzip'), scratch)),
    };
    // One run is to see whether everything works.
    const loadBefore = runs > 1 ? await quiet(log) : (loadavg()[0] ?? 0);
    const found = new Map(KINDS.map((kind) => [kind, [] as (readonly [number, Usage])[]]));
    for (const { thing: kind, round } of inTurns(KINDS, runs, (kind) => ONCE.includes(kind))) {
      const one = await run[kind]();
      found.get(kind)?.push(one);
      log(`${kind}, ${round + 1}: ${one[0].toFixed(2)} s`);
    }
    const medians = (value: (one: readonly [number, Usage]) => number) =>
      Object.fromEntries(KINDS.map((kind) => [kind, median((found.get(kind) ?? []).map(value))])) as Record<
        Kind,
        number
      >;
    return {
      loadBefore,
      cores: availableParallelism(),
      dataBytes: (await stat(data)).size,
      seconds: medians(([seconds]) => seconds),
      memory: medians(([, { largestProcess }]) => largestProcess),
      packedBytes: {
        pack: (await stat(outOf('pack'))).size,
        packLarger: (await stat(outOf('packLarger'))).size,
        gzip: (await stat(outOf('gzip'))).size,
      },
      runs: Object.fromEntries(KINDS.map((kind) => [kind, found.get(kind)?.length ?? 0])) as Record<Kind, number>,
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Does something while the disk is longer by a hole. */
async function larger<T>(disk: string, work: () => Promise<T>): Promise<T> {
  await truncate(disk, LARGER * SIZE);
  try {
    return await work();
  } finally {
    await truncate(disk, SIZE);
  }
}

const whole = (usage: Usage): readonly [number, Usage] => [usage.wallSeconds, usage];

/** The seconds that a program prints, and what it took. */
async function saidBy(
  command: { program: string; args: string[] },
  scratch: string,
): Promise<readonly [number, Usage]> {
  const { child, ended } = startTimed(command, scratch, ['ignore', 'pipe', 'pipe']);
  let said = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const usage = await ended;
  return [Number(said), usage];
}

async function gzipInto(disk: string, out: string, scratch: string): Promise<Usage> {
  const words = ['-6', '--no-name', '--stdout', disk];
  const { child, ended } = startTimed({ program: programPath('gzip'), args: words }, scratch, [
    'ignore',
    'pipe',
    'pipe',
  ]);
  if (child.stdout) await pipeline(child.stdout, createWriteStream(out));
  return ended;
}

/** As Markdown. */
export function readingText(result: ReadingResult): string {
  const { seconds, memory, packedBytes, runs, cores, dataBytes, loadBefore } = result;
  const names: Readonly<Record<Kind, string>> = {
    hash: `SHA-256 of every 512 KiB, ${cores} threads`,
    hashLarger: `the same on a disk of ${sizeText(LARGER * SIZE)}`,
    openssl: 'openssl dgst -sha256 of the data alone',
    pack: 'zstd frames, holes as frames of zeros',
    packLarger: `the same of a disk of ${sizeText(LARGER * SIZE)}`,
    gzip: 'gzip -6',
  };
  const table = markdownTable(
    [
      { heading: 'reading a disk', cell: (kind: Kind) => names[kind] },
      { heading: 'runs', cell: (kind) => String(runs[kind]), right: true },
      { heading: 'wall s', cell: (kind) => seconds[kind].toFixed(2), right: true },
      { heading: 'largest process', cell: (kind) => sizeText(memory[kind]), right: true },
      {
        heading: 'bytes',
        cell: (kind) =>
          kind === 'pack' || kind === 'packLarger' || kind === 'gzip' ? sizeText(packedBytes[kind]) : '',
        right: true,
      },
    ],
    KINDS,
  );
  const size = `a disk of ${sizeText(SIZE)} with ${sizeText(dataBytes)} of data; load at the start ${loadBefore.toFixed(2)}`;
  return [size, table, ...missedReading(result)].join('\n\n');
}

/** What the project promises and these figures do not show. */
export function missedReading({ seconds, memory, packedBytes, cores }: ReadingResult): string[] {
  const hash = (seconds.hash * cores) / seconds.openssl;
  const pack = seconds.gzip / seconds.pack;
  return [
    ...(seconds.openssl > LEAST_SECONDS && hash > HIGHEST_HASH
      ? [`missed: digests take ${hash.toFixed(2)} times openssl on ${cores} cores`]
      : []),
    ...(pack < LEAST_PACKING ? [`missed: compressing is ${pack.toFixed(1)} times as fast as gzip -6`] : []),
    ...(['hash', 'pack'] as const)
      .map((kind) => [kind, seconds[`${kind}Larger`] / seconds[kind]] as const)
      .filter(([, ratio]) => seconds.openssl > LEAST_SECONDS && ratio > HIGHEST_LARGER)
      .map(([kind, ratio]) => `missed: ${kind} takes ${ratio.toFixed(2)} times as long on ${LARGER} times the disk`),
    ...(packedBytes.pack > packedBytes.gzip ? ['missed: what is compressed is larger than by gzip -6'] : []),
    ...(['hash', 'pack'] as const)
      .filter((kind) => memory[kind] > MOST_MEMORY)
      .map((kind) => `missed: ${kind} takes ${sizeText(memory[kind])} of memory`),
  ];
}
