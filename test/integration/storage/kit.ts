import { createHash, randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import type { StoredManifest } from '../../../src/oci/read-manifest.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import type { StorageWorld } from '../../../src/storage/open.ts';
import { anonymousKeychain } from '../../../src/storage/registry/auth/credential.ts';
import { Hosts } from '../../../src/storage/registry/fetch/hosts.ts';
import { sendBlob } from '../../../src/storage/send-blob.ts';
import { type MemoryLog, memoryLog } from '../../support/memory-log.ts';

export interface TestDeps extends StorageWorld {
  readonly log: MemoryLog;
  /** Waits that were requested, in milliseconds; none is really waited. */
  readonly waits: number[];
}

/** Dependencies with a clock of their own, which goes on only where something waits, and at once. */
export const testDeps = (changes: Partial<StorageWorld> = {}): TestDeps => {
  const waits: number[] = [];
  const log = memoryLog();
  let now = Date.now();
  const clock = {
    now: () => now,
    sleep: async (ms: number, signal?: AbortSignal) => {
      signal?.throwIfAborted();
      waits.push(ms);
      now += ms;
    },
    random: () => 0.5,
  };
  return {
    fetch,
    keychain: anonymousKeychain,
    hosts: new Hosts(changes.clock ?? clock),
    clock,
    plainHosts: [],
    temporaryFolder: tmpdir(),
    ...changes,
    log,
    waits,
  };
};

export const blobOf = (bytes: Uint8Array, mediaType: string = MEDIA_TYPE.layer): Descriptor => ({
  mediaType,
  digest: digestOf(bytes),
  size: bytes.length,
});

/** Bytes that do not compress and look different everywhere, the same for each `seed`. */
export const noise = (size: number, seed: string): Buffer => {
  const block = createHash('sha512').update(seed).digest();
  const bytes = Buffer.alloc(size);
  for (let at = 0, count = 0; at < size; at += 64, count += 1) {
    block.copy(bytes, at);
    bytes.writeUInt32LE(count, Math.min(at, size - 4));
  }
  return bytes;
};

export const randomName = (): string => `test/${randomBytes(6).toString('hex')}`;

export const collect = async (chunks: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
};

/** Writes through a BlobWriter in pieces of one buffer that is used again and again, as producers do. */
export const writeBlob = async (
  repository: Repository,
  bytes: Buffer,
  piece: number = 1_000_003,
): Promise<Descriptor> => {
  const shared = Buffer.alloc(piece);
  return sendBlob(
    async (sink) => {
      for (let at = 0; at < bytes.length; at += piece) {
        const size = bytes.copy(shared, 0, at, at + piece);
        await sink(shared.subarray(0, size));
        shared.fill(0xff);
      }
      return blobOf(bytes);
    },
    [repository],
  );
};

export const manifestOf = (content: object, mediaType: string): StoredManifest => {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content }));
  return { bytes, mediaType, digest: digestOf(bytes) };
};

const EMPTY_TAR = Buffer.alloc(1024);

/** Puts a small, valid image for one architecture; `padding` makes its layer larger. */
export const putImage = async (
  repository: Repository,
  architecture: string,
  padding: number = 0,
): Promise<{ readonly manifest: StoredManifest; readonly layer: Descriptor }> => {
  const tar = Buffer.concat([tarFile(`${architecture}.txt`, noise(padding + 100, architecture)), EMPTY_TAR]);
  const layer = await writeBlob(repository, tar);
  const config = Buffer.from(
    JSON.stringify({ architecture, os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [layer.digest] } }),
  );
  const configDescriptor = blobOf(config, MEDIA_TYPE.config);
  await repository.putBlob(configDescriptor, config);
  const manifest = manifestOf({ config: configDescriptor, layers: [layer] }, MEDIA_TYPE.manifest);
  await repository.putManifest(manifest);
  return { manifest, layer };
};

export const indexOf = (
  children: readonly { readonly manifest: StoredManifest; readonly architecture: string }[],
): StoredManifest =>
  manifestOf(
    {
      manifests: children.map(({ manifest, architecture }) => ({
        mediaType: manifest.mediaType,
        digest: manifest.digest,
        size: manifest.bytes.length,
        platform: { architecture, os: 'linux' },
      })),
    },
    MEDIA_TYPE.index,
  );

/** Puts an index of two platforms and tags it. */
export const putIndex = async (repository: Repository, tag: string, padding: number = 0): Promise<StoredManifest> => {
  const amd64 = await putImage(repository, 'amd64', padding);
  const arm64 = await putImage(repository, 'arm64', padding);
  const index = indexOf([
    { manifest: amd64.manifest, architecture: 'amd64' },
    { manifest: arm64.manifest, architecture: 'arm64' },
  ]);
  await repository.tag(tag, index);
  return index;
};

/** A tar of one file, made here so that the tests do not lean on the code they test. */
export const tarFile = (name: string, content: Buffer): Buffer => {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\x000000\x000000\x00', 100);
  header.write(`${content.length.toString(8).padStart(11, '0')}\x0000000000001\x00        0`, 124);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
};
