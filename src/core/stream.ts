import type { Writable } from 'node:stream';
import { UserError } from './error.ts';

/** The whole stream in one buffer. Throws UserError `registry` when it has more than `limit` bytes. */
export async function collect(stream: AsyncIterable<Uint8Array>, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > limit) {
      throw new UserError('registry', `a document of more than ${limit} bytes was sent`, {
        hint: 'It is far larger than such a document can be: check the reference.',
      });
    }
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks);
}

/** The first `count` bytes of a stream, fewer where it ends before; no more than the chunks that hold them are read. */
export async function firstBytes(stream: AsyncIterable<Uint8Array>, count: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    chunks.push(Buffer.from(chunk.subarray(0, count - size)));
    size += chunk.length;
    if (size >= count) break;
  }
  return Buffer.concat(chunks);
}

/**
 * Gives a chunk to a stream; resolves when its memory may be used again. Rejects with the stream's error, and where it is closed meanwhile: one whose
 * reader has gone, or that fails in this very write, calls nobody back.
 */
export function writeChunk(stream: Writable, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(new Error('the stream was closed'));
    stream.once('close', closed);
    stream.write(chunk, (error) => {
      stream.off('close', closed);
      if (error) reject(error);
      else resolve();
    });
  });
}
