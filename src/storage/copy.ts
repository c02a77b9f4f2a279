import { UserError } from '../core/error.ts';
import type { Gate } from '../core/gate.ts';
import { mapParallel } from '../core/parallel.ts';
import { collect } from '../core/stream.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { isIndexType, isManifestType } from '../oci/media-type.ts';
import { parseManifest, type StoredManifest } from '../oci/read-manifest.ts';
import type { ImageDestination } from './destination.ts';
import type { Follower } from './follower.ts';
import { NESTING_LIMIT } from './image-for-system.ts';
import { sendBlob } from './send-blob.ts';
import type { ImageSource } from './source.ts';

// Enough to hide round trips; more only takes memory, since each large blob holds chunks.
const PARALLEL = 4;
// Blobs up to this size are read whole and sent in one request, in bytes.
const SMALL = 1024 * 1024;

/** What a copy is made with. */
export interface CopyTools {
  /** Stops the copy when it fires. */
  readonly signal?: AbortSignal | undefined;
  /** Get what is read for the destinations as it passes. */
  readonly followers?: readonly Follower[] | undefined;
  /** Places among the copies whose bytes are read here; those that a destination makes by itself need none. */
  readonly reading?: Gate | undefined;
  /** Whether a blob is new, so that asking for it where it is to be mounted would be in vain. */
  readonly isNew?: boolean | undefined;
}

/**
 * Copies one blob to every destination by the cheapest way there is: it may be there, or be mounted; for all others it is
 * read once, and once more where an upload breaks.
 */
export async function copyBlobToAll(
  descriptor: Descriptor,
  from: ImageSource,
  destinations: readonly ImageDestination[],
  { signal, followers = [], reading, isNew = false }: CopyTools = {},
): Promise<void> {
  signal?.throwIfAborted();
  const asked = await Promise.all(
    destinations.map(async (to) =>
      isNew
        ? (await to.mountBlob(descriptor, from)) || (await to.hasBlob(descriptor))
        : (await to.hasBlob(descriptor)) || (await to.mountBlob(descriptor, from)),
    ),
  );
  const missing = destinations.filter((_, at) => !asked[at]);
  if (missing.length === 0) return;
  const copy = () => copyBytes(descriptor, from, missing, { signal, followers });
  await (reading ? reading.run(copy) : copy());
}

async function copyBytes(
  descriptor: Descriptor,
  from: ImageSource,
  missing: readonly ImageDestination[],
  { signal, followers = [] }: CopyTools,
): Promise<void> {
  if (descriptor.size <= SMALL) {
    const bytes = await collect(from.readBlob(descriptor), SMALL);
    for (const follower of followers) follower.put(descriptor, bytes);
    await Promise.all(missing.map((to) => to.putBlob(descriptor, bytes)));
    return;
  }
  const read = async (sink: (chunk: Uint8Array) => Promise<void>): Promise<Descriptor> => {
    for await (const chunk of from.readBlob(descriptor)) {
      signal?.throwIfAborted();
      await sink(chunk);
    }
    return descriptor;
  };
  const beside = followers.map((follower) => follower.begin(descriptor));
  await sendBlob(read, missing, undefined, beside);
}

async function getManifest(reference: string, from: ImageSource): Promise<StoredManifest> {
  const manifest = await from.getManifest(reference);
  if (manifest !== undefined) return manifest;
  throw new UserError('registry', `${from.name} has no image ${reference}`, {
    hint: 'Check the name and the tag; list what is there with skopeo list-tags.',
  });
}

/** Layers with this mark are fetched from their urls by whoever runs the image (Windows bases); registries do not hold them. */
export const isForeign = ({ mediaType, urls }: Descriptor): boolean =>
  (urls?.length ?? 0) > 0 && /nondistributable|foreign/.test(mediaType);

const unique = (descriptors: readonly Descriptor[]): Descriptor[] => [
  ...new Map(descriptors.map((descriptor) => [descriptor.digest, descriptor])).values(),
];

/** What one image or index consists of. */
interface CopiedTree {
  readonly root: StoredManifest;
  /** The root and all manifests below it; those below come first. */
  readonly manifests: readonly StoredManifest[];
  readonly blobs: readonly Descriptor[];
}

/**
 * Copies an image or an index with all it refers to to every destination; blobs first, then children, then itself, so that
 * nothing is ever incomplete. Sets no tag.
 */
export const copyManifestTree = (
  reference: string | StoredManifest,
  from: ImageSource,
  to: readonly ImageDestination[],
  tools: CopyTools = {},
): Promise<CopiedTree> => copyBelow(reference, { from, to, tools }, 0);

/** From where to where a tree is copied. */
interface Way {
  readonly from: ImageSource;
  readonly to: readonly ImageDestination[];
  readonly tools: CopyTools;
}

async function copyBelow(reference: string | StoredManifest, way: Way, depth: number): Promise<CopiedTree> {
  const { from, to, tools } = way;
  const root = typeof reference === 'string' ? await getManifest(reference, from) : reference;
  if (depth > NESTING_LIMIT) {
    throw new UserError(
      'registry',
      `${from.name} ${root.digest} is an index nested deeper than ${NESTING_LIMIT} levels`,
      {
        hint: 'Name the inner image by its digest.',
      },
    );
  }
  const content = parseManifest(root);
  const named =
    content.kind === 'index'
      ? unique(content.manifests)
      : unique([content.config, ...content.layers.filter((layer) => !isForeign(layer))]);
  const isManifest = ({ mediaType }: Descriptor): boolean =>
    content.kind === 'index' && (isIndexType(mediaType) || isManifestType(mediaType));
  const blobs = named.filter((entry) => !isManifest(entry));
  await mapParallel(blobs, PARALLEL, (blob) => copyBlobToAll(blob, from, to, tools));
  const below: CopiedTree[] = [];
  // One after another: the blobs of each go in parallel already.
  for (const { digest } of named.filter(isManifest)) below.push(await copyBelow(digest, way, depth + 1));
  for (const destination of to) await destination.putManifest(root);
  return {
    root,
    manifests: [...below.flatMap(({ manifests }) => manifests), root],
    blobs: [...below.flatMap((tree) => tree.blobs), ...blobs],
  };
}
