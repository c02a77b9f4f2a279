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
