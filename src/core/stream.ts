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
