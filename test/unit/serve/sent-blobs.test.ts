import { expect, test } from 'vitest';
import { type ByteStream, type RegistryAnswer, streamAnswer } from '../../../src/serve/answer.ts';
import { SERVED_BLOCK } from '../../../src/serve/layer-bytes.ts';
import { sentBlobs } from '../../../src/serve/sent-blobs.ts';
import { memoryLog } from '../../support/memory-log.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** An answer of one block, of which it is told when it is made. */
function blob(digest: string, size: number, onMade: () => void): RegistryAnswer {
  async function* chunks() {
    onMade();
    yield Buffer.alloc(size);
  }
  const headers = { 'docker-content-digest': digest, 'content-length': String(size) };
  return streamAnswer(200, headers, { chunks: chunks(), name: digest });
}

const streamOf = ({ body }: RegistryAnswer) =>
  ((body as ByteStream).chunks as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();

test('of many clients of a cold image, a few have their layers made; who leaves makes room, and small blobs wait for nobody', async () => {
  const { bytes, inTurn } = sentBlobs({ log: memoryLog() });
  let made = 0;
  const clients = Array.from({ length: 200 }, () => streamOf(inTurn(blob('layer', SERVED_BLOCK + 1, () => made++))));
  const first = clients.map((client) => client.next());
  await turn();
  expect(made).toBe(24);
  const small = streamOf(inTurn(blob('config', 10, () => {})));
  expect((await small.next()).value).toHaveLength(10);
  // One has all of it, and another one goes away.
  await clients[0]?.next();
  await clients[1]?.return?.();
  await turn();
  expect(made).toBe(26);
  for (const [at, client] of clients.entries()) {
    await first[at];
    await client.return?.();
  }
  expect(made).toBe(200);
  expect(bytes).toEqual(
    new Map([
      ['layer', 200 * (SERVED_BLOCK + 1)],
      ['config', 10],
    ]),
  );
});
