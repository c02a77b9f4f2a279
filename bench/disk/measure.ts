import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { sizeText } from '../../src/core/size.ts';
import { layOut } from '../../src/erofs/tree.ts';
import { chancesOf } from '../../test/support/chances.ts';
import { quiet } from '../machine.ts';
import type { Usage } from '../measure/usage.ts';
import { removeScratch, SCRATCH } from '../measure-all.ts';
import type { Options } from '../options.ts';
import { markdownTable } from '../report/table.ts';
import { median } from '../statistics.ts';
import { inTurns } from '../turns.ts';
import { changedBlocks, changedChunks, type Share } from './compare.ts';
import { casyncIndex, MAKERS, type Maker } from './makers.ts';
import { type Drift, drift } from './revisions.ts';
import { type DiskVersion, diskVersions } from './versions.ts';
import { wholeDisk } from './whole-disk.ts';

/** Revisions that are placed one after another. */
const REVISIONS = 20;

/** At most so many blocks are another, as a multiple of the bytes that are: 7 % for 5 %. */
const HIGHEST_FACTOR = 1.4;

/** What is to be halved at least: the wall time of `mkfs.ext4 -d` and of the copy into its partition. */
const LEAST_SPEED = 2;

/** Seconds that those take of a closure that says anything: of a small one, the start of Node is most of ours. */
const LEAST_SECONDS = 2;

/** What a maker's disks come to. */
export interface MakerResult {
  readonly name: string;
  /** By version: what of its disk is another than in the base. */
  readonly shares: Readonly<Record<string, Share>>;
  /** Of the base, in each round. */
  readonly usages: readonly Usage[];
}

export interface DiskResult {
  readonly loadBefore: number;
  /** What a version holds that the base does not, in blocks of 4 KiB. */
  readonly content: Readonly<Record<string, Share>>;
  readonly drift: Drift;
  readonly makers: readonly MakerResult[];
}

/** Makes the disk of each version by each maker, and compares it with the base's. */
export async function measureDisks(options: Options, work: string, log: (line: string) => void): Promise<DiskResult> {
  await mkdir(work, { recursive: true });
  await removeScratch(work);
  const versions = await diskVersions(options.fixture, work, log);
  const [base, ...others] = versions;
  if (!base) throw new Error('no versions');
  const scratch = await mkdtemp(join(work, SCRATCH));
  try {
    const trees = await layOut(base.entries, { signal: new AbortController().signal });
    const content: Record<string, Share> = {};
    for (const version of others) content[version.name] = await contentShare(base, version);
    // One run is to see whether everything works, and what shares come out, which no load changes.
    const loadBefore = options.runs > 1 ? await quiet(log) : (loadavg()[0] ?? 0);
    const whole = await wholeDisk(log);
    const all = [...MAKERS, whole];
    const usages = new Map(all.map((maker) => [maker, [] as Usage[]]));
    for (const { thing: maker, round } of inTurns(all, options.runs, () => false)) {
      const image = join(scratch, 'timed');
      const usage = await maker.make(base, image, { scratch });
      usages.get(maker)?.push(usage);
      log(`${maker.name}, ${round + 1}: ${usage.wallSeconds.toFixed(2)} s`);
      await removeImage(image);
    }
    const makers: MakerResult[] = [];
    for (const maker of MAKERS) {
      makers.push(...(await sharesOf(maker, { base, others, scratch, log, usages: usages.get(maker) ?? [] })));
    }
    // What changes in it is what changes in its store.
    makers.push({ name: whole.name, shares: {}, usages: usages.get(whole) ?? [] });
    return { loadBefore, content, drift: drift(trees, REVISIONS, chancesOf(1)), makers };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Blocks of the paths that are new. */
async function contentShare(base: DiskVersion, version: DiskVersion): Promise<Share> {
  const old = new Set(base.entries.map(({ name }) => name));
  const trees = await layOut(version.entries, { signal: new AbortController().signal });
  const sum = (list: typeof trees): number => list.reduce((blocks, tree) => blocks + tree.blocks, 0);
  return { changed: sum(trees.filter(({ name }) => !old.has(name))), all: sum(trees) };
}

/** What of each version's disk is another: blocks in their places, and chunks anywhere, as casync finds them. */
async function sharesOf(
  maker: Maker,
  {
    base,
    others,
    scratch,
    log,
    usages,
  }: {
    base: DiskVersion;
    others: readonly DiskVersion[];
    scratch: string;
    log: (line: string) => void;
    usages: Usage[];
  },
): Promise<MakerResult[]> {
  const [before, after] = [join(scratch, 'base'), join(scratch, 'next')];
  await maker.make(base, before, { scratch });
  const oldChunks = await casyncIndex(before, scratch);
  const blocks: Record<string, Share> = {};
  const chunks: Record<string, Share> = {};
  for (const version of others) {
    await maker.make(version, after, { before, scratch });
    blocks[version.name] = await changedBlocks(before, after);
    chunks[version.name] = await changedChunks(oldChunks, await casyncIndex(after, scratch));
    log(`${maker.name}, ${version.name}: ${percent(blocks[version.name])} of the blocks`);
    await removeImage(after);
  }
  await removeImage(before);
  await rm(join(scratch, 'chunks.castr'), { recursive: true, force: true });
  return [
    { name: maker.name, shares: blocks, usages },
    { name: `${maker.name}, chunks by casync`, shares: chunks, usages: [] },
  ];
}

const removeImage = (image: string): Promise<unknown> =>
  Promise.all(['', '.json', '.caibx'].map((suffix) => rm(`${image}${suffix}`, { force: true })));

const percent = (share: Share | undefined): string =>
  share ? `${((100 * share.changed) / share.all).toFixed(1)} %` : '';

const medianOf = (usages: readonly Usage[], value: (usage: Usage) => number): number => median(usages.map(value));

/** As Markdown: what changed, and what it took. */
export function disksText({ loadBefore, content, drift: { moved, growth }, makers }: DiskResult): string {
  const versions = Object.keys(content);
  const changed = markdownTable(
    [
      { heading: 'disk made by', cell: ({ name }) => name },
      ...versions.map((version) => ({
        heading: version,
        cell: ({ shares }: Pick<MakerResult, 'shares'>) => percent(shares[version]),
        right: true,
      })),
    ],
    [
      { name: 'new paths, of all bytes', shares: content },
      ...makers.filter(({ shares }) => Object.keys(shares).length > 0),
    ],
  );
  const timed = makers.filter(({ usages }) => usages.length > 0);
  const took = markdownTable(
    [
      { heading: 'disk made by', cell: ({ name }) => name },
      {
        heading: 'wall s',
        cell: ({ usages }) => medianOf(usages, ({ wallSeconds }) => wallSeconds).toFixed(2),
        right: true,
      },
      {
        heading: 'CPU s',
        cell: ({ usages }) => medianOf(usages, ({ cpuSeconds }) => cpuSeconds).toFixed(2),
        right: true,
      },
      {
        heading: 'largest process',
        cell: ({ usages }) => sizeText(medianOf(usages, ({ largestProcess }) => largestProcess)),
        right: true,
      },
    ],
    timed,
  );
  const revisions = `${REVISIONS} revisions: ${moved} paths moved that stayed; the last disk has ${growth.toFixed(2)} times the size of what is on it.`;
  return [
    `load at the start ${loadBefore.toFixed(2)}`,
    changed,
    revisions,
    took,
    ...missed({ content, makers, moved }),
  ].join('\n\n');
}

/** What the project promises of its own disks and these figures do not show. */
export function missed({
  content,
  makers,
  moved,
}: Pick<DiskResult, 'content' | 'makers'> & Pick<Drift, 'moved'>): string[] {
  const [own, ext4, ...more] = makers.filter(({ usages }) => usages.length > 0);
  if (!own || !ext4) return ['missed: no figures'];
  const tooMany = Object.entries(own.shares).filter(([version, share]) => {
    const bytes = content[version];
    // Of a single path it is the superblock and the root directory.
    return bytes && share.changed > 3 && share.changed / share.all > (HIGHEST_FACTOR * bytes.changed) / bytes.all;
  });
  const seconds = ({ usages }: MakerResult): number => medianOf(usages, ({ wallSeconds }) => wallSeconds);
  const theirs = seconds(ext4);
  // The store alone, and all of a disk that boots: also that, which is more than what it is compared with.
  const slow = [own, ...more.filter(({ name }) => name.startsWith(own.name))].filter(
    (ours) => theirs > LEAST_SECONDS && theirs / seconds(ours) < LEAST_SPEED,
  );
  return [
    ...tooMany.map(
      ([version, share]) =>
        `missed: ${version}: ${percent(share)} of the blocks for ${percent(content[version])} of the bytes`,
    ),
    ...(moved > 0 ? [`missed: ${moved} paths moved`] : []),
    ...slow.map(
      (ours) =>
        `missed: ${ours.name}: ${(theirs / seconds(ours)).toFixed(2)} times as fast as mkfs.ext4 -d with a copy, at least ${LEAST_SPEED}`,
    ),
  ];
}
