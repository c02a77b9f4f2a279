import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, withFileErrors } from '../../core/file-error.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { blobName, type LayoutFolder } from './layout-folder.ts';
import { REF_NAME } from './layout-index.ts';

/** An image that a layout's index names. */
interface LayoutEntry {
  readonly digest: Digest;
  readonly names: readonly string[];
  /** When its manifest was written, in milliseconds since 1970; undefined where it is missing. */
  readonly added: number | undefined;
}

/** What the index of a layout names, each manifest once. Throws UserError `file`. */
export async function layoutEntries(folder: LayoutFolder): Promise<LayoutEntry[]> {
  const { manifests } = await folder.readIndex();
  const names = new Map<Digest, string[]>();
  for (const { digest, annotations } of manifests) {
    const name = annotations?.[REF_NAME];
    names.set(digest, [...(names.get(digest) ?? []), ...(name === undefined ? [] : [name])]);
  }
  return await Promise.all(
    [...names].map(async ([digest, of]) => {
      await using handle = await folder.openBlob(digest);
      return { digest, names: of, added: handle && (await handle.stat()).mtimeMs };
    }),
  );
}

/** Takes entries out of the index: those of a digest, with `names` only those names of it. What is left of them stays. */
export const dropEntries = (folder: LayoutFolder, digest: Digest, names?: readonly string[]): Promise<void> =>
  folder.changeIndex((index) => ({
    ...index,
    manifests: index.manifests.filter(
      (entry) =>
        entry.digest !== digest || (names !== undefined && !names.includes(entry.annotations?.[REF_NAME] ?? '')),
    ),
  }));

/**
 * Removes blobs, while nobody else changes the index: those of `candidates` that `inUse`, which is asked then, does not have. Throws
 * UserError `file`.
 */
export async function removeBlobs(
  folder: LayoutFolder,
  candidates: Iterable<string>,
  inUse: () => Promise<ReadonlySet<string>>,
): Promise<void> {
  await folder.locked(async () => {
    const used = await inUse();
    for (const digest of candidates) {
      if (used.has(digest) || !isDigest(digest)) continue;
      const path = join(folder.root, blobName(digest));
      await withFileErrors(path, 'write', () =>
        rm(path).catch((error: unknown) => {
          if (!isMissing(error)) throw error;
        }),
      );
    }
  });
}
