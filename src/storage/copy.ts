import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import { collect } from '../core/stream.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { isIndexType, isManifestType } from '../oci/media-type.ts';
import { parseManifest, type StoredManifest } from '../oci/read-manifest.ts';
import type { ImageDestination } from './destination.ts';
import { NESTING_LIMIT } from './image-for-system.ts';
import { sendBlob } from './send-blob.ts';
import type { ImageSource } from './source.ts';

/** What became of a blob: it was there, the registry took it over, or it was sent. */
type CopyOutcome = 'present' | 'mounted' | 'copied';

// Enough to hide round trips; more only takes memory, since each large blob holds chunks.
const PARALLEL = 4;
// Blobs up to this size are read whole and sent in one request, in bytes.
const SMALL = 1024 * 1024;

/** Reads the blob as it is sent, and once more where its upload breaks. */
const stream = async (
  descriptor: Descriptor,
  from: ImageSource,
  to: ImageDestination,
  signal: AbortSignal | undefined,
): Promise<void> => {
  const read = async (sink: (chunk: Uint8Array) => Promise<void>): Promise<Descriptor> => {
    for await (const chunk of from.readBlob(descriptor)) {
      signal?.throwIfAborted();
      await sink(chunk);
    }
    return descriptor;
  };
  await sendBlob(read, [to]);
};

/** Brings one blob from one repository to another, by the cheapest way there is; stops when `signal` fires. */
export const copyBlob = async (
  descriptor: Descriptor,
  from: ImageSource,
  to: ImageDestination,
  signal?: AbortSignal,
): Promise<CopyOutcome> => {
  signal?.throwIfAborted();
  if (await to.hasBlob(descriptor)) return 'present';
  if (await to.mountBlob(descriptor, from)) return 'mounted';
  if (descriptor.size <= SMALL) await to.putBlob(descriptor, await collect(from.readBlob(descriptor), SMALL));
  else await stream(descriptor, from, to, signal);
  return 'copied';
};

const getManifest = async (reference: string, from: ImageSource): Promise<StoredManifest> => {
  const manifest = await from.getManifest(reference);
  if (manifest !== undefined) return manifest;
  throw new UserError('registry', `${from.name} has no image ${reference}`, {
    hint: 'Check the name and the tag; list what is there with skopeo list-tags.',
  });
};

// Layers with this mark are fetched from their urls by whoever runs the image (Windows bases); registries do not hold them.
const isForeign = ({ mediaType, urls }: Descriptor): boolean =>
  (urls?.length ?? 0) > 0 && /nondistributable|foreign/.test(mediaType);

const unique = (descriptors: readonly Descriptor[]): Descriptor[] => [
  ...new Map(descriptors.map((descriptor) => [descriptor.digest, descriptor])).values(),
];

/**
 * Copies an image or an index with all it refers to; blobs first, then children, then itself, so that nothing is ever
 * incomplete. Sets no tag. Returns what was copied.
 */
export const copyManifestTree = async (
  reference: string | StoredManifest,
  from: ImageSource,
  to: ImageDestination,
  depth: number = 0,
): Promise<StoredManifest> => {
  const manifest = typeof reference === 'string' ? await getManifest(reference, from) : reference;
  if (depth > NESTING_LIMIT) {
    throw new UserError(
      'registry',
      `${from.name} ${manifest.digest} is an index nested deeper than ${NESTING_LIMIT} levels`,
      {
        hint: 'Name the inner image by its digest.',
      },
    );
  }
  const content = parseManifest(manifest);
  if (content.kind === 'image') {
    const blobs = unique([content.config, ...content.layers.filter((layer) => !isForeign(layer))]);
    await mapParallel(blobs, PARALLEL, (blob) => copyBlob(blob, from, to));
  } else {
    // One after another: the blobs of each go in parallel already.
    for (const child of unique(content.manifests)) {
      if (isIndexType(child.mediaType) || isManifestType(child.mediaType))
        await copyManifestTree(child.digest, from, to, depth + 1);
      else await copyBlob(child, from, to);
    }
  }
  await to.putManifest(manifest);
  return manifest;
};
