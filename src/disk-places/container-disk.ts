import { createHash } from 'node:crypto';
import { UserError } from '../core/error.ts';
import { keyAnnotation } from '../definition/image-key.ts';
import { tarKey } from '../definition/layer.ts';
import { inheritedAnnotation, layerAnnotations } from '../definition/layer-record.ts';
import { type Qcow2File, qcow2File } from '../disk/qcow2-writer.ts';
import { inBlocks } from '../layer/blocks.ts';
import { codecOf } from '../layer/codec.ts';
import { type WrittenLayer, writeLayer } from '../layer/write-layer.ts';
import { CODECS } from '../oci/compression.ts';
import { historyEntry, imageConfigBytes } from '../oci/config.ts';
import { digestOf } from '../oci/digest.ts';
import { manifestBytes } from '../oci/manifest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import type { Origin } from '../oci/origin.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import { platformOf, type System } from '../oci/system.ts';
import { unpack } from '../oci/unpack.ts';
import type { Repository } from '../storage/destination.ts';
import { sendBlob } from '../storage/send-blob.ts';
import { endBlocks, padding } from '../tar/header.ts';
import { layerHeader } from '../tar/layer-header.ts';
import { STREAM_BLOCK } from '../tar/writer.ts';
import type { Chunk, ChunkedDisk } from './zstd-disk.ts';

/** The rules by which a disk becomes an image; any change that alters one raises it. */
const PROFILE = 1;

/** The user and group that qemu has in KubeVirt's pods: what others own, it may not read (kubevirt/kubevirt 3367, 7722). */
const QEMU = 107;

/** Blocks that are compressed at once. */
const BLOCKS_AT_ONCE = 3;

/** Bytes that come out of a chunk at once. */
const PIECE = 256 * 1024;

/** A disk as an image that KubeVirt boots. */
interface ContainerDisk {
  /** What the file is called. */
  readonly name: string;
  readonly system: System;
  readonly disk: ChunkedDisk;
  /** The key of the disk that it is made of. */
  readonly key: string;
  /** What the disk's own manifest says of it and of its run. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly origin: Origin;
}

/** The key of the image that is made of a disk. */
export const containerDiskKey = (key: string): string =>
  createHash('sha256').update(`container-disk ${PROFILE} ${key}`).digest('hex');

/**
 * Stores a disk as KubeVirt's containerDisk: an image of one layer with one file, `/disk/NAME.qcow2`, read-only for qemu's user. qcow2, because
 * runtimes of containers know no holes in a tar: a raw disk would take its whole size on every node. The layer is made while it is sent. Throws UserError `digest` for a
 * chunk that is not what it says, and as the repositories do.
 */
export async function writeContainerDisk(
  image: ContainerDisk,
  destinations: readonly Repository[],
  { signal }: { readonly signal: AbortSignal },
): Promise<StoredManifest> {
  const { system, disk, key, annotations, origin } = image;
  const file = qcow2File(disk.size, disk.chunks);
  const codec = codecOf('gzip', CODECS.gzip.usual);
  const layer = await sendBlob(
    (sink) => writeLayer(inBlocks(tarOf(image, file, signal), STREAM_BLOCK), codec, sink, { parallel: BLOCKS_AT_ONCE }),
    destinations,
  );
  const config = imageConfigBytes({
    ...{ platform: platformOf(system), config: {}, diffIds: [layer.diffId], base: undefined },
    ...{ history: [historyEntry('disk of a virtual machine')], created: origin.created },
  });
  const described = { mediaType: MEDIA_TYPE.config, digest: digestOf(config), size: config.length };
  const all = { ...annotations, ...keyAnnotation(containerDiskKey(key)), ...inheritedAnnotation(0) };
  const bytes = manifestBytes(described, [descriptorOf(layer)], all);
  const manifest = { bytes, mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes) };
  for (const destination of destinations) {
    await destination.putBlob(described, config);
    await destination.putManifest(manifest);
  }
  return manifest;
}

const descriptorOf = ({ mediaType, digest, size, diffId, unpackedSize }: WrittenLayer) => ({
  ...{ mediaType, digest, size },
  annotations: layerAnnotations({ key: tarKey(diffId), diffId, unpackedSize, storeHashes: [] }),
});

async function* tarOf(
  { name, disk }: Pick<ContainerDisk, 'name' | 'disk'>,
  file: Qcow2File,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const owner = { uid: QEMU, gid: QEMU } as const;
  yield layerHeader({ type: 'directory', path: 'disk', mode: 0o555, ...owner });
  const path = `disk/${name}.qcow2`;
  yield layerHeader({ type: 'file', path, mode: 0o440, ...owner, content: { kind: 'path', path, size: file.size } });
  for await (const bytes of file.write(contentOf(disk))) {
    signal.throwIfAborted();
    yield bytes;
  }
  yield Buffer.alloc(padding(file.size));
  yield endBlocks();
}

/** The bytes of all chunks as they are on the disk. Throws UserError `digest` for one that has another length than it says. */
async function* contentOf({ chunks, readBlob }: ChunkedDisk): AsyncGenerator<Uint8Array> {
  for (const { length, offset, descriptor } of chunks) {
    let read = 0;
    try {
      for await (const bytes of unpack('zstd', readBlob(descriptor), PIECE)) {
        read += bytes.length;
        if (read > length) break;
        yield bytes;
      }
    } catch (error) {
      if (error instanceof UserError || (error instanceof Error && error.name === 'AbortError')) throw error;
      throw damaged({ offset, descriptor }, `cannot be unpacked: ${error instanceof Error ? error.message : error}`);
    }
    if (read !== length) throw damaged({ offset, descriptor }, `does not unpack to ${length} bytes`);
  }
}

const damaged = ({ offset, descriptor }: Pick<Chunk, 'offset' | 'descriptor'>, what: string): UserError =>
  new UserError('digest', `the chunk ${descriptor.digest} of the disk (byte ${offset}) ${what}`, {
    hint: 'The disk is damaged: build it again, or publish it again with verify.',
  });
