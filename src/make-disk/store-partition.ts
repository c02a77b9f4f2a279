import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Effects } from '../core/effects.ts';
import { withFileErrors } from '../core/file-error.ts';
import type { Closure } from '../definition/closure.ts';
import type { DiskDefinition } from '../definition/disk-definition.ts';
import type { Extent } from '../disk/extent.ts';
import { placeTrees } from '../erofs/place.ts';
import { FS_BLOCK, type Positions, usedRuns } from '../erofs/positions.ts';
import { layOut, type StoreTree } from '../erofs/tree.ts';
import { verityBlocks, writeVerity } from '../erofs/verity.ts';
import { writeErofs } from '../erofs/write-erofs.ts';
import type { DiskTarget } from './copy-file-system.ts';
import { type DiskPlan, roomRemedy, type StoreSizes, storeLimit } from './disk-plan.ts';
import { diskUuid, veritySalt } from './disk-uuid.ts';
import { REGISTRATION_NAME, registrationText } from './registration.ts';

/** What is in the store's partition, and where. */
interface PlacedStore {
  readonly trees: readonly StoreTree[];
  readonly positions: Positions;
  readonly sizes: StoreSizes;
}

/** dm-verity's tree over the store. */
export interface Verity {
  /** 64 hexadecimal digits. */
  readonly rootHash: string;
  /** Where it is on the disk. */
  readonly extent: Extent;
}

/** Those of `closure` that the store's roots need, themselves among them. Throws Error where one is missing: a closure is closed. */
export function storeClosure(closure: Closure, roots: readonly string[]): Closure {
  const byPath = new Map(closure.map((info) => [info.path, info]));
  const wanted = new Set(roots);
  // A set yields what is added while it is walked.
  for (const path of wanted) {
    const info = byPath.get(path);
    if (info === undefined) throw new Error(`${path} is not in the closure`);
    for (const reference of info.references) wanted.add(reference);
  }
  return closure.filter(({ path }) => wanted.has(path));
}

interface StoreInput {
  readonly definition: DiskDefinition;
  readonly closure: Closure;
  readonly previous: Positions | undefined;
  readonly folder: string;
}

/**
 * Gives every path of the store its place. Throws UserError `input` where they do not fit, and `file` for what cannot be read.
 */
export async function placeStore(
  { definition, closure, previous, folder }: StoreInput,
  { signal }: Pick<Effects, 'signal'>,
): Promise<PlacedStore> {
  const entries = closure.map(({ path }) => ({ name: basename(path), from: path }));
  if (definition.registration) {
    const from = join(folder, REGISTRATION_NAME);
    await withFileErrors(from, 'write', () => writeFile(from, registrationText(closure)));
    entries.push({ name: REGISTRATION_NAME, from });
  }
  const trees = await layOut(entries, { signal });
  const remedy = (blocks: number): string | undefined => roomRemedy(definition, blocks);
  const positions = placeTrees(trees, { previous, limit: storeLimit(definition), remedy });
  const used = usedRuns(positions).reduce((sum, { blocks }) => sum + blocks, 0);
  return { trees, positions, sizes: { data: used * FS_BLOCK, end: positions.blocks * FS_BLOCK } };
}

interface StoreTarget {
  readonly definition: DiskDefinition;
  readonly placed: PlacedStore;
  readonly plan: DiskPlan;
}

/** Writes the store, and dm-verity's tree where the definition wants it. Throws UserError `file`. */
export async function writeStore(
  { file, path }: DiskTarget,
  { definition, placed, plan }: StoreTarget,
  { signal }: Pick<Effects, 'signal'>,
): Promise<Verity | undefined> {
  const identity = { uuid: diskUuid(definition, 'store-fs'), label: definition.partitions.store.label };
  const store = { file, path, start: plan.store.offset };
  await writeErofs(store, { ...placed, identity }, { signal });
  if (plan.verity === undefined) return undefined;
  const { offset } = plan.verity;
  const { blocks } = placed.positions;
  const data = { ...store, blocks, used: usedRuns(placed.positions) };
  const verity = { uuid: diskUuid(definition, 'verity'), salt: veritySalt(definition) };
  const rootHash = await writeVerity(data, { file, path, start: offset }, { identity: verity, signal });
  return { rootHash, extent: { offset, length: verityBlocks(blocks) * FS_BLOCK } };
}
