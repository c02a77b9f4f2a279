import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { sizeText } from '../../src/core/size.ts';
import { SCRATCH } from '../begin.ts';
import { quiet } from '../machine.ts';
import type { Usage } from '../measure/usage.ts';
import { markdownTable } from '../report/table.ts';
import { median } from '../statistics.ts';
import { inTurns } from '../turns.ts';
import { removeImage } from './changes.ts';
import { MAKERS } from './makers.ts';
import type { DiskVersion } from './versions.ts';
import { wholeDisk } from './whole-disk.ts';

/** What is to be halved at least: the wall time of `mkfs.ext4 -d` and of the copy into its partition. */
const LEAST_SPEED = 2;

/** Seconds that those take of a closure that says anything: of a small one, the start of Node is most of ours. */
const LEAST_SECONDS = 2;

/** What making the base's disk takes, in each round. */
export interface MakerUsages {
  readonly name: string;
  readonly usages: readonly Usage[];
}

export interface MakingResult {
  readonly loadBefore: number;
  readonly makers: readonly MakerUsages[];
}

/** Has every maker make the disk of a version, all in turns. */
export async function measureMaking(
  base: DiskVersion,
  { runs, work, log }: { readonly runs: number; readonly work: string; readonly log: (line: string) => void },
): Promise<MakingResult> {
  const scratch = await mkdtemp(join(work, SCRATCH));
  try {
    const all = [...MAKERS, await wholeDisk(log)];
    // One run is to see whether everything works.
    const loadBefore = runs > 1 ? await quiet(log) : (loadavg()[0] ?? 0);
    const usages = new Map(all.map((maker) => [maker, [] as Usage[]]));
    for (const { thing: maker, round } of inTurns(all, runs, () => false)) {
      const image = join(scratch, 'timed');
      const usage = await maker.make(base, image, { scratch, copied: true });
      usages.get(maker)?.push(usage);
      log(`${maker.name}, ${round + 1}: ${usage.wallSeconds.toFixed(2)} s`);
      await removeImage(image);
    }
    return { loadBefore, makers: all.map((maker) => ({ name: maker.name, usages: usages.get(maker) ?? [] })) };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const medianOf = ({ usages }: MakerUsages, value: (usage: Usage) => number): number => median(usages.map(value));

const secondsOf = (maker: MakerUsages): number => medianOf(maker, ({ wallSeconds }) => wallSeconds);

/** As Markdown: what it took. */
export function makingText(result: MakingResult): string {
  const table = markdownTable(
    [
      { heading: 'disk made by', cell: ({ name }: MakerUsages) => name },
      { heading: 'wall s', cell: (maker) => secondsOf(maker).toFixed(2), right: true },
      { heading: 'CPU s', cell: (maker) => medianOf(maker, ({ cpuSeconds }) => cpuSeconds).toFixed(2), right: true },
      {
        heading: 'largest process',
        cell: (maker) => sizeText(medianOf(maker, ({ largestProcess }) => largestProcess)),
        right: true,
      },
    ],
    result.makers,
  );
  return [`load at the start ${result.loadBefore.toFixed(2)}`, table, ...missedMaking(result)].join('\n\n');
}

/** What the project promises of making disks and these figures do not show. */
export function missedMaking({ makers }: MakingResult): string[] {
  const [own, ext4, ...more] = makers;
  if (!own || !ext4) return ['missed: no figures'];
  const theirs = secondsOf(ext4);
  // The store alone, and all of a disk that boots: also that, which is more than what it is compared with.
  return [own, ...more.filter(({ name }) => name.startsWith(own.name))]
    .filter((ours) => theirs > LEAST_SECONDS && theirs / secondsOf(ours) < LEAST_SPEED)
    .map(
      (ours) =>
        `missed: ${ours.name}: ${(theirs / secondsOf(ours)).toFixed(2)} times as fast as mkfs.ext4 -d with a copy, at least ${LEAST_SPEED}`,
    );
}
