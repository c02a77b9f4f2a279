import { mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Effects } from '../core/effects.ts';
import { withFileErrors } from '../core/file-error.ts';
import { checkSpace, type FreeSpace } from '../core/free-space.ts';
import { sizeText } from '../core/size.ts';
import type { Closure } from '../definition/closure.ts';
import type { DiskDefinition } from '../definition/disk-definition.ts';
import { writeGpt } from '../disk/gpt.ts';
import { encodePositions, type Positions, repackAdvice } from '../erofs/positions.ts';
import { digestOf } from '../oci/digest.ts';
import { checkBootFiles } from './boot-files.ts';
import { copyFileSystem, type DiskTarget } from './copy-file-system.ts';
import { extentsOf, piecesOf, type Written } from './disk-data.ts';
import { type DiskPlan, planDisk } from './disk-plan.ts';
import { spaceNeeded } from './disk-space.ts';
import { makeEmptyRoot } from './empty-root.ts';
import { makeEsp } from './esp.ts';
import type { MadeDisk } from './made-disk.ts';
import { partitionTable } from './partition-table.ts';
import { placeStore, storeClosure, type Verity, writeStore } from './store-partition.ts';
import { makeUki } from './uki.ts';

/** @internal What decides over a disk beside its definition. */
export interface MakeDiskOptions {
  /** Positions that were published with the disk before: what both hold stays where it is. Default: none. */
  readonly previous?: Positions | undefined;
  /** Places everything anew although there are previous positions. Default: false. */
  readonly fresh?: boolean;
  /** Folder for the disk and for what it is made of; on a file system with holes. */
  readonly workDir: string;
}

/** What making a disk needs of the world. */
interface Tools extends Pick<Effects, 'exec' | 'log' | 'signal'> {
  readonly free: FreeSpace;
}

/** Name of the disk in the work folder. */
const FILE_NAME = 'disk.raw';

/**
 * Makes the disk of a definition as a raw file in the work folder: GPT with EFI system partition, store and empty root, each written straight
 * to its place, zeros left as holes. `closure` holds at least the closure of the definition's store roots; all of it, and what the disk
 * boots with, is in the Nix store of this machine. The same definition, closure and previous positions give the same bytes. Nothing is
 * mounted, and no rights are needed but to write into the folder.
 *
 * Throws UserError `file` for too little space (before anything is written) or what cannot be read and written, `input` for what does not
 * fit or cannot boot, `build` when a tool fails. The file is removed then.
 */
export async function makeDisk(
  definition: DiskDefinition,
  closure: Closure,
  { previous, fresh = false, workDir }: MakeDiskOptions,
  tools: Tools,
): Promise<MadeDisk> {
  const held = storeClosure(closure, definition.storeRoots);
  const space = { what: `the disk ${definition.name}`, bytes: spaceNeeded(definition, held), path: workDir };
  await checkSpace(space, tools.free);
  await checkBootFiles(definition);
  const path = join(workDir, FILE_NAME);
  const folder = await withFileErrors(workDir, 'write', () => mkdtemp(join(workDir, 'parts-')));
  try {
    const kept = fresh ? undefined : previous;
    const placed = await placeStore({ definition, closure: held, previous: kept, folder }, tools);
    const plan = planDisk(definition, placed.sizes);
    tools.log.info(`making a disk of ${sizeText(plan.size)} with ${sizeText(placed.sizes.data)} in the store`);
    const advice = repackAdvice(placed.positions);
    if (advice !== undefined) tools.log.info(advice);
    const handle = await withFileErrors(path, 'write', () => open(path, 'w+', 0o644));
    const file: DiskTarget = { file: handle, path };
    try {
      await withFileErrors(path, 'write', () => handle.truncate(plan.size));
      const store = writeStore(file, { definition, placed, plan }, tools);
      // The root hash is in the unified kernel image; without it, tools and store keep a core busy each.
      const verity = definition.verity ? await store : undefined;
      const [, { esp, root }] = await both(store, writeParts(file, { definition, plan, verity, folder }, tools));
      const table = partitionTable(definition, plan, verity?.rootHash);
      await withFileErrors(path, 'write', () => writeGpt(handle, table, plan.size));
      const written: Written = { plan, positions: placed.positions, esp, root, verity: verity?.extent };
      return {
        path,
        size: plan.size,
        system: definition.system,
        positions: placed.positions,
        positionsBefore: kept === undefined ? null : digestOf(Buffer.from(encodePositions(kept))),
        partitions: table.partitions,
        extents: extentsOf(written),
        pieces: piecesOf(written),
      };
    } finally {
      await withFileErrors(path, 'write', () => handle.close());
    }
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface PartsInput {
  readonly definition: DiskDefinition;
  readonly plan: DiskPlan;
  readonly verity: Verity | undefined;
  readonly folder: string;
}

/** Makes EFI system partition and root as files of their own, and copies them to their places. */
async function writeParts(
  file: DiskTarget,
  { definition, plan, verity, folder }: PartsInput,
  { exec }: Tools,
): Promise<Pick<Written, 'esp' | 'root'>> {
  const { boot, system, tools } = definition;
  const uki =
    boot.loader === 'uki' && tools.ukify !== null
      ? await makeUki(exec, { boot, system, ukify: tools.ukify, rootHash: verity?.rootHash, folder })
      : undefined;
  const image = await makeEsp(exec, { definition, bytes: plan.esp.length, uki, folder });
  const esp = await copyFileSystem(image, file, plan.esp.offset);
  const emptyRoot = await makeEmptyRoot(exec, { definition, bytes: plan.root.length, folder });
  return { esp, root: await copyFileSystem(emptyRoot, file, plan.root.offset) };
}

/** Waits for both, also where one fails: nothing may write into a file that is closed or removed. */
async function both<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([one, other]);
  return Promise.all([one, other]);
}
