import { canonicalJson, type Json } from '../core/canonical-json.ts';
import { UserError } from '../core/error.ts';
import { keyAnnotation } from '../definition/image-key.ts';
import { BLOCK_BYTES, type BlockList, diskIdentity } from '../disk/block-list.ts';
import type { Disk } from '../disk/disk.ts';
import type { Extent } from '../disk/extent.ts';
import type { Partition } from '../disk/gpt.ts';
import type { BuiltImage } from '../image/image.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { type BootMode, DISK_TYPE } from '../oci/disk-artifact.ts';
import { manifestBytes } from '../oci/manifest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import type { Origin } from '../oci/origin.ts';
import { platformOf, type System } from '../oci/system.ts';
import { MissingBlobError, type Repository } from '../storage/destination.ts';
import { statusOf } from '../storage/registry/failure.ts';
import { sendBlob } from '../storage/send-blob.ts';
import { boundedPieces } from './grid-pieces.ts';
import { type ChunkOptions, writeChunks } from './write-chunks.ts';

/** A disk that is about to be stored as an artifact. */
export interface DiskToWrite {
  readonly disk: Pick<Disk, 'read' | 'size'>;
  /** Where it is cut, ascending and apart, with all data in them. */
  readonly pieces: readonly Extent[];
  readonly blocks: BlockList;
  readonly system: System;
  readonly bootMode: BootMode;
  readonly partitions: readonly Partition[];
  /** The file of positions; undefined for a disk of another tool. */
  readonly positions: Uint8Array | undefined;
  /** Where on the disk the file system begins whose blocks the positions count. */
  readonly storeOffset: number | null;
  /** Digest of the positions that it was made from. */
  readonly positionsBefore: Digest | null;
  /** Names what the disk is made of: see `diskKey`. */
  readonly key: string;
  /** What its definition says of it. */
  readonly annotations: Readonly<Record<string, string>>;
  /** What it says of the run that makes it. */
  readonly origin: Origin;
}

/** Bytes of the digests of 16 GiB: more are sent in parts. */
const SMALL = 1024 * 1024;

/**
 * Stores a disk at every destination, by digest and under no tag: chunks, the digests of its blocks, its positions, config and manifest. The same disk,
 * cut the same way, gives the same bytes, whether chunks are reused or made. Throws UserError as disk and destinations do.
 */
export async function writeDiskImage(
  disk: DiskToWrite,
  destinations: readonly Repository[],
  options: ChunkOptions,
): Promise<BuiltImage> {
  const pieces = boundedPieces(disk.pieces);
  let { reuse } = options;
  for (;;) {
    const { descriptors, reused } = await writeChunks(disk.disk, pieces, destinations, { ...options, reuse });
    const { digests } = disk.blocks;
    const blocks = await putDocument(DISK_TYPE.blocks, digests, destinations);
    const documents =
      disk.positions === undefined
        ? []
        : [
            {
              descriptor: await putDocument(DISK_TYPE.positions, disk.positions, destinations),
              bytes: disk.positions,
            },
          ];
    const layers = [...descriptors, blocks, ...documents.map(({ descriptor }) => descriptor)];
    const built = { ...assemble(disk, layers), documents };
    const failure = await store(built, destinations);
    if (failure === undefined) {
      for (const follower of options.followers ?? []) follower.put(built.config.descriptor, built.config.bytes);
      return built;
    }
    if (reused === 0) throw failure.error;
    options.log.warn(`${failure.destination.name}: chunks that a disk there names are gone; making all of them again`);
    reuse = reuse.withoutAny();
  }
}

async function putDocument(
  mediaType: string,
  bytes: Uint8Array,
  destinations: readonly Repository[],
): Promise<Descriptor> {
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
  if (bytes.length <= SMALL) {
    for (const destination of destinations) await destination.putBlob(descriptor, bytes);
    return descriptor;
  }
  const missing: Repository[] = [];
  for (const destination of destinations) if (!(await destination.hasBlob(descriptor))) missing.push(destination);
  return sendBlob(async (sink) => {
    for (let at = 0; at < bytes.length; at += SMALL) await sink(bytes.subarray(at, at + SMALL));
    return descriptor;
  }, missing);
}

function assemble(disk: DiskToWrite, layers: readonly Descriptor[]): BuiltImage {
  const { system, key, annotations, origin } = disk;
  const bytes = configOf(disk);
  const config = { mediaType: DISK_TYPE.config, digest: digestOf(bytes), size: bytes.length };
  const all = { ...origin.annotations, ...annotations, ...keyAnnotation(key) };
  const manifest = manifestBytes(config, layers, all, { artifactType: DISK_TYPE.artifact });
  return {
    system,
    manifest: { bytes: manifest, mediaType: MEDIA_TYPE.manifest, digest: digestOf(manifest) },
    config: { descriptor: config, bytes },
    layers,
  };
}

function configOf(disk: DiskToWrite): Buffer {
  const { blocks, system, bootMode, partitions, positions, positionsBefore, storeOffset, origin } = disk;
  const { architecture, os } = platformOf(system);
  const config: Json = {
    architecture,
    os,
    created: origin.created,
    size: blocks.size,
    identity: diskIdentity(blocks),
    blockSize: BLOCK_BYTES,
    format: 'raw',
    bootMode,
    partitions: partitions.map(({ type, uuid, name, offset, length, attributes = 0n }) => ({
      ...{ type, uuid, name, offset, length },
      // 64 bits are more than a number of JSON holds.
      ...(attributes === 0n ? {} : { attributes: `0x${attributes.toString(16)}` }),
    })),
    positions: positions === undefined ? null : digestOf(positions),
    positionsBefore,
    storeOffset,
  };
  return Buffer.from(canonicalJson(config));
}

/** Stores config and manifest; gives the first destination that is missing a blob of it, and its error. */
async function store(
  { manifest, config }: BuiltImage,
  destinations: readonly Repository[],
): Promise<{ readonly destination: Repository; readonly error: unknown } | undefined> {
  for (const destination of destinations) {
    await destination.putBlob(config.descriptor, config.bytes);
    try {
      await destination.putManifest(manifest);
    } catch (error) {
      if (error instanceof MissingBlobError) return { destination, error };
      throw REFUSED.includes(statusOf(error) ?? 0) ? refusedArtifact(error as UserError) : error;
    }
  }
  return undefined;
}

/** What registries answer that take no manifest of this kind. */
const REFUSED = [400, 405, 415];

/**
 * Some registries take the types of configs and artifacts that they know, and no others: Quay those of its config.yaml (oras-project/oras issue 738), GitLab those of a table
 * (moby/buildkit pull request 3610, ocx-sh/ocx issue 480), Gitea before 1.21 those of images (go-gitea/gitea issue 25846).
 */
const refusedArtifact = ({ code, message, cause }: UserError): UserError =>
  new UserError(code, `${message}: the registry does not take the disk as an artifact`, {
    hint: `Allow ${DISK_TYPE.config} there (Quay: ALLOWED_OCI_ARTIFACT_TYPES in config.yaml), publish to another registry, or there with as=container-disk.`,
    docs: 'disks.md#where-a-disk-goes',
    cause,
  });
