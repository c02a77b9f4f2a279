import { z } from 'zod';
import { UserError } from '../core/error.ts';
import { type Descriptor, platformSchema } from './descriptor.ts';
import { type Digest, isDigest } from './digest.ts';
import { digestSchema } from './digest-schema.ts';
import type { ImageManifest } from './manifest.ts';

/** The disk of a virtual machine as an OCI artifact (image-spec 1.1, manifest.md, "Guidelines for Artifact Usage"). */
export const DISK_TYPE = {
  artifact: 'application/vnd.nix-images.disk.v1',
  config: 'application/vnd.nix-images.disk.config.v1+json',
  /** zstd frames of one piece of the disk: its content alone, so that it is the same blob wherever it lies. */
  chunk: 'application/vnd.nix-images.disk.chunk.v1+zstd',
  /** SHA-256 of each block, 32 bytes a block. */
  blocks: 'application/vnd.nix-images.disk.blocks.v1',
  /** Where the store paths of the disk lie; not there for disks of other tools. */
  positions: 'application/vnd.nix-images.disk.positions.v1+json',
} as const;

const ANNOTATION = {
  /** Where on the disk a chunk begins, and how many bytes of it it is. */
  offset: 'io.nix-images.disk.offset',
  length: 'io.nix-images.disk.length',
  /** Digest of those bytes as they are on the disk. */
  content: 'io.nix-images.disk.content',
} as const;

/** How a disk is booted, in the words of NixOS' `image-info.json` and EC2. */
export const BOOT_MODES = ['uefi', 'uefi-preferred', 'legacy-bios'] as const;

export type BootMode = (typeof BOOT_MODES)[number];

const bytesSchema = z.int().nonnegative();

const partitionSchema = z.looseObject({
  type: z.string(),
  uuid: z.string(),
  name: z.string(),
  offset: bytesSchema,
  length: bytesSchema,
});

/** The config of a disk; offsets and sizes are in bytes. */
export const diskConfigSchema = platformSchema.extend({
  created: z.string().optional(),
  /** Bytes of the disk, holes included. */
  size: z.int().positive(),
  /** Tells the disk from any other: a digest over those of its blocks, and its size. */
  identity: digestSchema,
  blockSize: z.literal(524_288),
  format: z.literal('raw'),
  bootMode: z.enum(BOOT_MODES),
  /** In the order of their numbers; none where there is no GUID partition table. */
  partitions: z.array(partitionSchema).max(256),
  /** Digest of the positions, and of those that it was made from. */
  positions: digestSchema.nullable(),
  positionsBefore: digestSchema.nullable(),
  /** Where the file system begins whose blocks the positions count; null where there are none. */
  storeOffset: bytesSchema.nullable(),
});

export type DiskConfig = z.infer<typeof diskConfigSchema>;

/** A piece of a disk, and the blob that holds it. */
export interface DiskChunk {
  readonly offset: number;
  readonly length: number;
  readonly content: Digest;
  readonly descriptor: Descriptor;
}

/** What the layers of a disk's manifest are. */
export interface DiskLayers {
  /** Ascending and apart; everything else is zeros. */
  readonly chunks: readonly DiskChunk[];
  readonly blocks: Descriptor;
  readonly positions: Descriptor | undefined;
}

/** Whether a manifest, or an entry of an index, is a disk. */
export const isDisk = ({ artifactType }: { readonly artifactType?: string | undefined }): boolean =>
  artifactType === DISK_TYPE.artifact;

/** What a chunk's descriptor says of it. */
export const chunkAnnotations = ({ offset, length, content }: Omit<DiskChunk, 'descriptor'>) => ({
  [ANNOTATION.offset]: String(offset),
  [ANNOTATION.length]: String(length),
  [ANNOTATION.content]: content,
});

/** Bytes that a layer of a disk unpacks to; undefined of any other layer. */
export function diskLayerBytes(layer: Descriptor): number | undefined {
  const isWhole = layer.mediaType === DISK_TYPE.blocks || layer.mediaType === DISK_TYPE.positions;
  return isWhole ? layer.size : chunkOf(layer)?.length;
}

function chunkOf(descriptor: Descriptor): DiskChunk | undefined {
  const { [ANNOTATION.offset]: offset = '', [ANNOTATION.length]: length = '', ...rest } = descriptor.annotations ?? {};
  const content = rest[ANNOTATION.content] ?? '';
  // Fifteen digits are a safe integer.
  if (descriptor.mediaType !== DISK_TYPE.chunk || ![offset, length].every((text) => /^\d{1,15}$/.test(text)))
    return undefined;
  return isDigest(content) ? { offset: Number(offset), length: Number(length), content, descriptor } : undefined;
}

/**
 * The layers of a disk's manifest by what they are. `where` names it. Throws UserError `registry` for one that is no disk's, or contradicts itself.
 */
export function diskLayers({ layers, artifactType }: ImageManifest, where: string): DiskLayers {
  if (!isDisk({ artifactType })) {
    throw new UserError('reference', `${where} is not a disk`, { hint: 'Name a disk that nix-images has published.' });
  }
  const wrong = (what: string) =>
    new UserError('registry', `the manifest ${where} is not valid: ${what}`, {
      hint: 'Publish the disk again; a newer nix-images may have made it.',
    });
  const of = (mediaType: string): Descriptor[] => layers.filter((layer) => layer.mediaType === mediaType);
  const chunks = of(DISK_TYPE.chunk).map((layer) => chunkOf(layer));
  const [blocks] = of(DISK_TYPE.blocks);
  if (blocks === undefined) throw wrong('it has no digests of blocks');
  let end = 0;
  const valid = chunks.map((chunk, at) => {
    if (chunk === undefined || chunk.length === 0) throw wrong(`chunk ${at} does not say what it is`);
    if (chunk.offset < end) throw wrong(`chunk ${at} begins at byte ${chunk.offset}, before byte ${end}`);
    end = chunk.offset + chunk.length;
    return chunk;
  });
  return { chunks: valid, blocks, positions: of(DISK_TYPE.positions)[0] };
}
