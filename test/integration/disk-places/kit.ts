import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { extentFrames } from '../../../src/disk/disk-frames.ts';
import type { Extent } from '../../../src/disk/extent.ts';
import type { ChunkedDisk } from '../../../src/disk-places/zstd-disk.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { noise, writeDisk } from '../../support/disks.ts';
import { uniqueTempDir } from '../../support/tools.ts';

const KIB = 1024;
const MIB = KIB * KIB;

export interface TestDisk {
  readonly disk: ChunkedDisk;
  /** The same as a raw file. */
  readonly raw: string;
  readonly folder: string;
}

/** A disk of 64 MiB with about 1 MiB of data, most of it in pieces that do not begin at 64 KiB; `seed` makes another one. */
export async function testDisk(seed = 1): Promise<TestDisk> {
  const folder = await uniqueTempDir('disk-places');
  onTestFinished(() => folder.remove());
  const raw = join(folder.path, 'disk.raw');
  const size = 64 * MIB;
  const pieces: Extent[] = [
    { offset: 0, length: 20 * KIB },
    { offset: 3 * MIB + 4 * KIB, length: 300 * KIB },
    { offset: 3 * MIB + 304 * KIB, length: 600 * KIB },
    { offset: 40 * MIB + 12 * KIB, length: 100 * KIB },
    { offset: size - 32 * KIB, length: 32 * KIB },
  ];
  await writeDisk(
    raw,
    size,
    pieces.map(({ offset, length }, at) => [
      offset,
      at === 2 ? Buffer.alloc(length, 'text ') : noise(length, seed * 10 + at),
    ]),
  );
  const file = await open(raw);
  const blobs = new Map<string, Buffer>();
  try {
    const read = async (into: Uint8Array, position: number): Promise<void> => {
      await file.read(into, 0, into.length, position);
    };
    const chunks: ChunkedDisk['chunks'][number][] = [];
    for (const piece of pieces) {
      const frames: Uint8Array[] = [];
      for await (const frame of extentFrames({ read }, piece, { parallel: 1 })) frames.push(Buffer.from(frame));
      const bytes = Buffer.concat(frames);
      const digest = digestOf(bytes);
      blobs.set(digest, bytes);
      chunks.push({ ...piece, descriptor: { mediaType: 'application/x-chunk', digest, size: bytes.length } });
    }
    const disk: ChunkedDisk = {
      size,
      chunks,
      async *readBlob({ digest }) {
        const bytes = blobs.get(digest) ?? Buffer.alloc(0);
        // In pieces, as from a network.
        for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
      },
    };
    return { disk, raw, folder: folder.path };
  } finally {
    await file.close();
  }
}
