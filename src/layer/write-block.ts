import type { Transform } from 'node:stream';

/** What `stream`, a compressor that works on the thread pool, makes of `block`, which must stay as it is meanwhile. Rejects with what the stream fails with. */
export const writeBlock = (stream: Transform, block: Uint8Array): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const onData = (part: Buffer): void => void parts.push(part);
    stream.on('data', onData).once('error', reject);
    stream.write(block, (error) => {
      stream.off('data', onData).off('error', reject);
      if (error) reject(error);
      // One part, as `chunkSize` is chosen: a copy would leave both to the garbage collector.
      else resolve(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts));
    });
  });
