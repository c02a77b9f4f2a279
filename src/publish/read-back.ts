import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { Repository } from '../storage/destination.ts';
import type { ImageSource } from '../storage/source.ts';

/** Blobs looked up at once: enough to hide the latency of a registry. */
const BLOBS_AT_ONCE = 4;

/**
 * Asks for every blob that was only believed to be there, because an image there names it; where `all` says so, for all
 * of them and the manifests too: what a client will do next must work. What the registry has confirmed in this run, as
 * found, mounted or stored under its digest, has been seen. Throws LostError.
 */
export async function readBack(
  manifests: readonly StoredManifest[],
  blobs: readonly Descriptor[],
  repository: Repository,
  all: boolean,
): Promise<void> {
  if (all) for (const { digest } of manifests) await expect(digest, repository);
  const unique = new Map(blobs.map((blob) => [blob.digest, blob]));
  await mapParallel([...unique.values()], BLOBS_AT_ONCE, async (blob) => {
    if (!(await repository.hasBlob(blob, { fresh: all }))) throw new LostError(`blob ${blob.digest}`, repository);
  });
}

async function expect(digest: Digest, repository: ImageSource): Promise<void> {
  const found = await repository.getManifest(digest);
  if (found?.digest !== digest) throw new LostError(`manifest ${digest}`, repository);
}

/** A destination that took something and does not have it. */
export class LostError extends UserError {
  constructor(what: string, repository: { readonly name: string }) {
    super('registry', `${repository.name} accepted ${what} but does not have it, or not in that size`, {
      hint: 'No tag was moved. Publish again with --no-reuse; if it stays so, the registry loses data or is being cleaned while it is written to.',
    });
  }
}
