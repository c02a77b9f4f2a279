import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../core/error.ts';
import type { CachedPath, CacheIndex } from './cache-index.ts';
import type { HouseWorld } from './house.ts';
import type { JobAttempt } from './keys.ts';
import { keepPacks, mergeIndexes } from './merge.ts';
import { inPackOrder } from './pack-order.ts';
import { checkFrame, readFrame, restorePack } from './pack-reader.ts';
import { PackUploads } from './store-packs.ts';

interface Compaction {
  /** Numbers of the packs that are to go. */
  readonly packs: readonly number[];
  /** Paths that stay. */
  readonly kept: ReadonlySet<string>;
  readonly attempt: JobAttempt;
  readonly packLimit?: number | undefined;
}

/**
 * Writes what is needed of some packs into new ones, frame by frame and unpacked only to be checked, and gives the index of that. The
 * old packs are still in the store, and no longer in the index; where the new ones could not be stored, nothing has changed, and
 * the log says why. Throws UserError `cancelled` and `file`.
 */
export async function compact(world: HouseWorld, index: CacheIndex, compaction: Compaction): Promise<CacheIndex> {
  const going = new Set(compaction.packs);
  const moved = index.paths.filter(
    ({ path, pieces }) => compaction.kept.has(path) && pieces.some(({ pack }) => going.has(pack)),
  );
  const uploads = new PackUploads(world, compaction.attempt, compaction.packLimit);
  const files = new Map<number, string>();
  try {
    await restoreAll(world, index, moved, files);
    const packed = await copyFrames(world, inPackOrder(moved, index.closures), { files, uploads });
    const fresh = await uploads.end(packed);
    if (uploads.stopped !== undefined || fresh.paths.length < packed.length) {
      world.log.warn(`packs of the cache stay as they are: ${uploads.stopped ?? 'new ones could not be stored'}`);
      return index;
    }
    const isGoing = new Set([...going].map((pack) => index.packs[pack]?.key));
    const names = new Set(moved.map(({ path }) => path));
    const rest = { ...index, paths: index.paths.filter(({ path }) => !names.has(path)) };
    return mergeIndexes([keepPacks(rest, ({ key }) => !isGoing.has(key)), { ...fresh, closures: [] }]);
  } catch (error) {
    await uploads.writer.abandon();
    throw error;
  } finally {
    await Promise.all([...files.values()].map((file) => rm(file, { force: true })));
  }
}

/** The packs of all pieces: a frame may begin in a pack that stays. */
async function restoreAll(
  world: HouseWorld,
  index: CacheIndex,
  moved: readonly CachedPath[],
  files: Map<number, string>,
): Promise<void> {
  for (const number of new Set(moved.flatMap(({ pieces }) => pieces.map(({ pack }) => pack)))) {
    const pack = index.packs[number];
    const file = join(world.folder, `old-${number}`);
    if (pack && (await restorePack(world, pack, file))) files.set(number, file);
  }
}

interface Copying {
  readonly files: ReadonlyMap<number, string>;
  readonly uploads: PackUploads;
}

async function copyFrames(
  { log }: HouseWorld,
  groups: readonly (readonly CachedPath[])[],
  { files, uploads }: Copying,
): Promise<CachedPath[]> {
  const fileOf = (pack: number): string => files.get(pack) ?? '';
  const packed: CachedPath[] = [];
  for (const [place, path] of groups.flatMap((group) => [...group.entries()])) {
    if (!path.pieces.every(({ pack }) => files.has(pack))) continue;
    try {
      if (place === 0) await uploads.writer.cut();
      await checkFrame(path, fileOf);
      packed.push({ ...path, pieces: await uploads.writer.addFrame(readFrame(path.pieces, fileOf)) });
    } catch (error) {
      if (uploads.stopped !== undefined) break;
      if (!(error instanceof UserError) || error.code !== 'digest') throw error;
      log.warn(`a damaged path is dropped from the cache: ${error.message}`);
    }
  }
  return packed;
}
