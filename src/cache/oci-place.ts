import { UserError } from '../core/error.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/read-manifest.ts';
import type { Repository } from '../storage/destination.ts';
import type { LayoutFolder } from '../storage/layout/layout-folder.ts';
import { dropEntries, layoutEntries, removeBlobs } from '../storage/layout/layout-removal.ts';
import type { RemovableRepository } from '../storage/open.ts';
import { statusOf } from '../storage/registry/failure.ts';

/** A repository that holds a cache, with what lists its tags and removes manifests from it. Methods throw UserError. */
export interface OciPlace {
  readonly repository: Repository;
  /** All tags; undefined where they cannot be listed. */
  tags(): Promise<readonly string[] | undefined>;
  /** Removes a manifest with its tags. `unsupported` where the place does not do that for anyone. */
  remove(digest: Digest): Promise<'removed' | 'gone' | 'unsupported'>;
}

/** A registry frees the bytes of what was removed in its own time. */
export const cacheInRegistry = ({ repository, removal }: RemovableRepository): OciPlace => ({
  repository,
  tags: () => removal.tags().catch(withoutList),
  remove: (digest) => removal.removeManifest(digest),
});

/** A repository that is not there yet, or a registry without lists: the answer is the same, and an empty list would be a claim. */
function withoutList(error: unknown): undefined {
  if (error instanceof UserError && [404, 405, 501].includes(statusOf(error) ?? 0)) return undefined;
  throw error;
}

/** What a manifest names. */
interface Named {
  readonly blobs: readonly Digest[];
  readonly manifests: readonly Digest[];
}

const NOTHING: Named = { blobs: [], manifests: [] };

/** In a layout, the blobs go with the manifest, but for those that another one names. */
export function cacheInLayout(repository: Repository, folder: LayoutFolder): OciPlace {
  const read = new Map<Digest, Named>();
  /** What has a digest never changes, so it is read once. What nobody can read names nothing. */
  async function namedBy(digest: Digest): Promise<Named> {
    const known = read.get(digest);
    if (known) return known;
    const named = await readNamed(repository, digest).catch((error: unknown) => {
      if (error instanceof UserError && ['registry', 'digest'].includes(error.code)) return NOTHING;
      throw error;
    });
    read.set(digest, named);
    return named;
  }
  async function inUse(): Promise<ReadonlySet<Digest>> {
    const manifests = new Set((await layoutEntries(folder)).map(({ digest }) => digest));
    const blobs = new Set<Digest>();
    // The first set grows while it is walked: an index names further manifests.
    for (const digest of manifests) {
      const named = await namedBy(digest);
      for (const child of named.manifests) manifests.add(child);
      for (const blob of named.blobs) blobs.add(blob);
    }
    return new Set([...manifests, ...blobs]);
  }
  return {
    repository,
    tags: async () => ((await folder.exists()) ? (await layoutEntries(folder)).flatMap(({ names }) => names) : []),
    async remove(digest) {
      if (!(await layoutEntries(folder)).some((entry) => entry.digest === digest)) return 'gone';
      const { blobs } = await namedBy(digest);
      await dropEntries(folder, digest);
      await removeBlobs(folder, [digest, ...blobs], inUse);
      return 'removed';
    },
  };
}

async function readNamed(repository: Repository, digest: Digest): Promise<Named> {
  const manifest = await repository.getManifest(digest);
  if (manifest === undefined) return NOTHING;
  const content = parseManifest(manifest);
  return content.kind === 'image'
    ? { blobs: [content.config, ...content.layers].map((blob) => blob.digest), manifests: [] }
    : { blobs: [], manifests: content.manifests.map((child) => child.digest) };
}
