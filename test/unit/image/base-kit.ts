import type { ExistingImage } from '../../../src/image/existing-image.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import type { TarEntry } from '../../../src/tar/entry.ts';
import { tarStream } from '../../../src/tar/writer.ts';

const OWNER = { uid: 0, gid: 0 } as const;

export const folder = (path: string, mode = 0o755, owner: { uid: number; gid: number } = OWNER): TarEntry => ({
  type: 'directory',
  path,
  mode,
  ...owner,
});

export const file = (path: string, text: string): TarEntry => ({
  type: 'file',
  path,
  mode: 0o644,
  ...OWNER,
  content: { kind: 'bytes', bytes: Buffer.from(text) },
});

export const tarOf = (entries: readonly TarEntry[]): Buffer => Buffer.concat([...tarStream(entries)]);

/** A base of layers that unpack to `tars`, and how often one was read. */
export function baseImage(
  packed: readonly Uint8Array[],
  tars: readonly Uint8Array[] = packed,
): ExistingImage & { readonly reads: () => number } {
  let reads = 0;
  const layers = packed.map(
    (bytes, at): Descriptor => ({
      mediaType: MEDIA_TYPE.layer,
      digest: digestOf(Buffer.from(`${at}`)),
      size: bytes.length,
    }),
  );
  async function* readBlob(descriptor: Descriptor): AsyncGenerator<Uint8Array> {
    reads += 1;
    const bytes = packed[layers.indexOf(descriptor)] ?? new Uint8Array();
    for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
  }
  return {
    // Of a repository, only blobs are read here.
    repository: { name: 'docker://host/base', readBlob } as unknown as Repository,
    manifest: { schemaVersion: 2, config: { mediaType: '', digest: digestOf(Buffer.alloc(0)), size: 0 }, layers },
    config: {
      architecture: 'amd64',
      os: 'linux',
      rootfs: { diff_ids: tars.map((tar) => digestOf(tar)) },
    },
    layers,
    reads: () => reads,
  };
}
