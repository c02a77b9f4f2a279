import { mkdtemp, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { UserError } from '../../core/error.ts';
import { mapParallel } from '../../core/parallel.ts';
import type { StorePathInfo } from '../../definition/closure.ts';
import type { Definition, Root } from '../../definition/definition.ts';
import type { ReadClosure } from '../../nix/closure.ts';
import { fetchNar } from '../../nix/fetch-nar.ts';
import type { Nix } from '../../nix/nix.ts';
import { realise } from '../../nix/realise.ts';
import { withoutSecrets } from '../../nix/settings.ts';
import type { ImageClosure } from './image-closure.ts';

/** NARs of one layer under way at once: one nix each, which waits for the network and then decompresses. */
const NARS_AT_ONCE = 3;

/** The store paths of an image, which are made readable when a layer is about to read them. */
export interface ImagePaths {
  /**
   * Makes paths of the closure readable: those that cannot be read at their own place are unpacked in a temporary
   * folder, one NAR each, and never enter the store of this machine. Throws UserError `digest` for a NAR that is not
   * what the store or cache promised.
   */
  lease(paths: readonly string[]): Promise<LeasedPaths>;
}

export interface LeasedPaths {
  /** Where a store path is to be read; one that is not in here is read where it is. */
  readonly places: ReadonlyMap<string, string>;
  /** To be called when the paths have been read; deletes what no other layer is going to read. */
  release(): Promise<void>;
}

interface ImagePathsOptions {
  /** The closure that is read from, and where what is not here was found; see `readImageClosure`. */
  readonly image: ImageClosure;
  /** The paths that will be read, layer by layer: one that two layers need is fetched once and stays for both. */
  readonly demand: readonly (readonly string[])[];
  readonly gcRootDir: string;
  readonly tempDir: string;
}

/** A path that layers are reading. */
interface Lease {
  holders: number;
  readonly place: Promise<string | undefined>;
}

/**
 * Keeps what the store has of an image's closure from the garbage collector, and gets the rest ready to be read.
 * What was there or at a substituter when the closure was read and is not any more is realised by Nix.
 */
export async function openImagePaths(
  nix: Nix,
  definition: Definition,
  { image, demand, gcRootDir, tempDir }: ImagePathsOptions,
): Promise<ImagePaths> {
  const roots = new Map(definition.roots.map((root) => [root.outPath, root]));
  const infos = new Map(image.closure.map((info) => [info.path, info]));
  const rootOf = (outPath: string): Root => roots.get(outPath) ?? { drvPath: null, output: null, outPath };
  const { elsewhere } = await nix.storeSettings();
  const realiseAgain = async (paths: readonly string[], valid?: ReadonlySet<string>): Promise<void> => {
    if (paths.length === 0) return;
    // A folder for each: links of one name would replace each other, and what the first kept could be collected.
    await realise(nix, paths.map(rootOf), { gcRootDir: await mkdtemp(join(gcRootDir, 'realised-')), valid });
  };

  const valid = validOf([image]);
  const lost = demand.flat().filter((path) => !valid.has(path) && !image.caches.has(path));
  const tops = (await image.keep?.()) ? [] : topsOf([image]);
  await realiseAgain([...new Set([...tops, ...lost])], valid);

  const planned = new Map<string, number>();
  for (const path of demand.flat()) planned.set(path, (planned.get(path) ?? 0) + 1);
  const leases = new Map<string, Lease>();

  const placeOf = async (path: string): Promise<string | undefined> => {
    const info = infos.get(path);
    const url = valid.has(path) ? elsewhere : image.caches.get(path);
    if (info === undefined || url === undefined) return undefined;
    const place = await unpack(nix, url, info, tempDir);
    if (place !== undefined) return place;
    await realiseAgain([path]);
    return elsewhere === undefined ? undefined : unpackAgain(nix, elsewhere, info, tempDir);
  };

  const acquire = (path: string): Promise<string | undefined> => {
    const before = leases.get(path);
    const entry = before ?? { holders: 0, place: placeOf(path) };
    entry.holders += 1;
    leases.set(path, entry);
    planned.set(path, (planned.get(path) ?? 0) - 1);
    return entry.place;
  };

  const giveBack = async (path: string): Promise<void> => {
    const entry = leases.get(path);
    if (!entry) return;
    entry.holders -= 1;
    if (entry.holders > 0 || (planned.get(path) ?? 0) > 0) return;
    leases.delete(path);
    const place = await entry.place.catch(() => undefined);
    if (place !== undefined) await rm(dirname(place), { recursive: true, force: true });
  };

  const lease = async (paths: readonly string[]): Promise<LeasedPaths> => {
    const leased: string[] = [];
    const places = new Map<string, string>();
    const release = async (): Promise<void> => {
      await Promise.all(leased.splice(0).map(giveBack));
    };
    try {
      await mapParallel([...new Set(paths)], NARS_AT_ONCE, async (path) => {
        leased.push(path);
        const place = await acquire(path);
        if (place !== undefined) places.set(path, place);
      });
    } catch (error) {
      await release();
      throw error;
    }
    return { places, release };
  };
  return { lease };
}

/** What of closures Nix's own store has. */
const validOf = (closures: readonly ReadClosure[]): ReadonlySet<string> =>
  new Set(closures.flatMap(({ closure, valid }) => closure.map(({ path }) => path).filter((path) => valid.has(path))));

/** Of that what nothing else of it refers to. */
function topsOf(closures: readonly ReadClosure[]): readonly string[] {
  const valid = validOf(closures);
  const referred = new Set<string>();
  for (const { path, references } of closures.flatMap(({ closure }) => closure)) {
    if (valid.has(path)) for (const reference of references) if (reference !== path) referred.add(reference);
  }
  return [...valid].filter((path) => !referred.has(path));
}

/** Keeps what the store has of several closures from the garbage collector, by one process; false when something of it is gone. */
export async function keepClosures(nix: Nix, closures: readonly ReadClosure[], gcRootDir: string): Promise<boolean> {
  const roots = topsOf(closures).map((outPath): Root => ({ drvPath: null, output: null, outPath }));
  if (roots.length === 0) return true;
  try {
    await realise(nix, roots, { gcRootDir: await mkdtemp(join(gcRootDir, 'kept-')), valid: validOf(closures) });
    return true;
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== 'build') throw error;
    return false;
  }
}

/** Unpacks a path in a folder of its own; undefined when the store at `url` does not send it. */
async function unpack(nix: Nix, url: string, info: StorePathInfo, tempDir: string): Promise<string | undefined> {
  const folder = await mkdtemp(join(tempDir, 'nar-'));
  const target = join(folder, basename(info.path));
  let good = false;
  try {
    good = await fetchNar(nix, url, info, target);
    return good ? target : undefined;
  } finally {
    if (!good) await rm(folder, { recursive: true, force: true });
  }
}

/** As `unpack`, of a path that must be there by now. */
async function unpackAgain(nix: Nix, url: string, info: StorePathInfo, tempDir: string): Promise<string> {
  const place = await unpack(nix, url, info, tempDir);
  if (place !== undefined) return place;
  throw new UserError('build', `${info.path} cannot be read from ${withoutSecrets(url)}`, {
    hint: 'Nix says that this store has it: is it reachable, and may you read it? Run the command again.',
  });
}
