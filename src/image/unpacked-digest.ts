import { createHash } from 'node:crypto';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { checkUnpacked } from '../core/unpack-limit.ts';
import { type Digest, endDigest } from '../oci/digest.ts';
import { ZstdFrames } from '../oci/zstd-frames.ts';
import type { Encoding } from './layer.ts';

/** Hashes what packed bytes unpack to. */
interface UnpackedDigest {
  /** Takes the next bytes; resolves when they are unpacked and may be used again. Rejects when they are damaged. */
  write(chunk: Uint8Array): Promise<void>;
  /** Rejects when the bytes ended too early. */
  end(): Promise<{ readonly diffId: Digest; readonly unpackedSize: number }>;
}

type Packed = Exclude<Encoding, 'tar'>;

/** One stream of Node's, which ends where something follows that is not gzip or zstd. */
interface Part {
  /** How many of the bytes were of this part: fewer than given when it ended. */
  write(chunk: Uint8Array): Promise<number>;
  end(): Promise<void>;
}

function openPart(encoding: Packed, sink: (chunk: Uint8Array) => void): Part {
  const stream = encoding === 'gzip' ? createGunzip() : createZstdDecompress();
  stream.on('data', (chunk: Uint8Array) => {
    try {
      sink(chunk);
    } catch (error) {
      stream.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  });
  const ended = new Promise<void>((resolve, reject) => {
    stream.once('end', resolve);
    stream.once('error', reject);
  });
  // Told of where it is awaited; until then it must not end the process.
  ended.catch(() => undefined);
  const write = async (chunk: Uint8Array): Promise<number> => {
    const before = stream.bytesWritten;
    await new Promise<void>((resolve, reject) => {
      // A damaged stream never calls back.
      stream.once('error', reject);
      stream.write(chunk, (error) => {
        stream.off('error', reject);
        if (error) reject(error);
        else resolve();
      });
    });
    return stream.bytesWritten - before;
  };
  const end = async (): Promise<void> => {
    stream.end();
    await ended;
  };
  return { write, end };
}

/**
 * Begins to hash. Memory is bounded by what is given at once and what it unpacks to at once; `name` is for the error when
 * that is more, in all, than packed bytes may stand for.
 */
export function unpackedDigest(encoding: Packed, name: string): UnpackedDigest {
  const hash = createHash('sha256');
  let packedSize = 0;
  let unpackedSize = 0;
  const open = (): Part =>
    openPart(encoding, (chunk) => {
      unpackedSize += chunk.length;
      checkUnpacked(name, packedSize, unpackedSize);
      hash.update(chunk);
    });
  let part = open();
  // Node's reader of zstd stops after a frame where there is more in the same write.
  const frames = encoding === 'zstd' ? new ZstdFrames() : undefined;
  return {
    write: async (chunk) => {
      packedSize += chunk.length;
      for (let left = chunk; left.length > 0; ) {
        const given = frames?.take(left) ?? left.length;
        const used = await part.write(left.subarray(0, given));
        left = left.subarray(used);
        if (used === given) continue;
        await part.end();
        part = open();
      }
    },
    end: async () => {
      await part.end();
      return { diffId: endDigest(hash), unpackedSize };
    },
  };
}
