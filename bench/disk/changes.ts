import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { layOut } from '../../src/erofs/tree.ts';
import { chancesOf } from '../../test/support/chances.ts';
import { SCRATCH } from '../begin.ts';
import { markdownTable } from '../report/table.ts';
import { changedBlocks, changedChunks, type Share } from './compare.ts';
import { casyncIndex, MAKERS, type Maker } from './makers.ts';
import { type Drift, drift } from './revisions.ts';
import type { DiskVersion } from './versions.ts';

/** Revisions that are placed one after another. */
const REVISIONS = 20;

/** At most so many blocks are another, as a multiple of the bytes that are: 7 % for 5 %. */
const HIGHEST_FACTOR = 1.4;

/** By version: what of a maker's disk is another than in the base. */
export interface MakerShares {
  readonly name: string;
  readonly shares: Readonly<Record<string, Share>>;
}

export interface ChangesResult {
  /** What a version holds that the base does not, in blocks of 4 KiB. */
  readonly content: Readonly<Record<string, Share>>;
  readonly drift: Drift;
  /** Those of this project first. */
  readonly makers: readonly MakerShares[];
}

interface Compared {
  readonly base: DiskVersion;
  readonly others: readonly DiskVersion[];
  /** Whether casync's chunks are compared as well, which takes longer than all else. */
  readonly chunks: boolean;
}

/** Makes the disk of each version by each maker, once, since all of them give the same bytes again, and compares it with the base's. */
export async function measureChanges(
  compared: Compared,
  work: string,
  log: (line: string) => void,
): Promise<ChangesResult> {
  const { base, others } = compared;
  const scratch = await mkdtemp(join(work, SCRATCH));
  try {
    const trees = await layOut(base.entries, { signal: new AbortController().signal });
    const content: Record<string, Share> = {};
    for (const version of others) content[version.name] = await contentShare(base, version);
    const makers: MakerShares[] = [];
    for (const maker of MAKERS) makers.push(...(await sharesOf(maker, compared, scratch, log)));
    return { content, drift: drift(trees, REVISIONS, chancesOf(1)), makers };
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

/** What of each version's disk is another: blocks in their places and, where they are wanted, chunks anywhere, as casync finds them. */
async function sharesOf(
  maker: Maker,
  { base, others, chunks }: Compared,
  scratch: string,
  log: (line: string) => void,
): Promise<MakerShares[]> {
  const [before, after] = [join(scratch, 'base'), join(scratch, 'next')];
  await maker.make(base, before, { scratch });
  const oldIndex = chunks ? await casyncIndex(before, scratch) : undefined;
  const blockShares: Record<string, Share> = {};
  const chunkShares: Record<string, Share> = {};
  for (const version of others) {
    await maker.make(version, after, { before, scratch });
    blockShares[version.name] = await changedBlocks(before, after);
    if (oldIndex !== undefined)
      chunkShares[version.name] = await changedChunks(oldIndex, await casyncIndex(after, scratch));
    log(`${maker.name}, ${version.name}: ${percent(blockShares[version.name])} of the blocks`);
    await removeImage(after);
  }
  await removeImage(before);
  return [
    { name: maker.name, shares: blockShares },
    ...(chunks ? [{ name: `${maker.name}, chunks by casync`, shares: chunkShares }] : []),
  ];
}

/** Removes what a maker and casync leave of one image. */
export const removeImage = (image: string): Promise<unknown> =>
  Promise.all(['', '.json', '.caibx'].map((suffix) => rm(`${image}${suffix}`, { force: true })));

const percent = (share: Share | undefined): string =>
  share ? `${((100 * share.changed) / share.all).toFixed(1)} %` : '';

/** As Markdown: what changed. */
export function changesText(result: ChangesResult): string {
  const { content, drift: done, makers } = result;
  const table = markdownTable(
    [
      { heading: 'disk made by', cell: ({ name }: MakerShares) => name },
      ...Object.keys(content).map((version) => ({
        heading: version,
        cell: ({ shares }: MakerShares) => percent(shares[version]),
        right: true,
      })),
    ],
    [{ name: 'new paths, of all bytes', shares: content }, ...makers],
  );
  const revisions = `${REVISIONS} revisions: ${done.moved} paths moved that stayed; the last disk has ${done.growth.toFixed(2)} times the size of what is on it.`;
  return [table, revisions, ...missedChanges(result)].join('\n\n');
}

/** What the project promises of changes and these figures do not show. */
export function missedChanges({ content, makers, drift: { moved } }: ChangesResult): string[] {
  const [own] = makers;
  const tooMany = Object.entries(own?.shares ?? {}).filter(([version, share]) => {
    const bytes = content[version];
    // Of a single path it is the superblock and the root directory.
    return bytes && share.changed > 3 && share.changed / share.all > (HIGHEST_FACTOR * bytes.changed) / bytes.all;
  });
  return [
    ...(own === undefined ? ['missed: no figures'] : []),
    ...tooMany.map(
      ([version, share]) =>
        `missed: ${version}: ${percent(share)} of the blocks for ${percent(content[version])} of the bytes`,
    ),
    ...(moved > 0 ? [`missed: ${moved} paths moved`] : []),
  ];
}
