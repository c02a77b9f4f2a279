import { expect, it } from 'vitest';
import { type Fetch, withLog } from '../../../../../src/storage/registry/fetch/with-log.ts';
import { memoryLog } from '../../../../support/memory-log.ts';

async function* body(): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(1_000_000);
  yield Buffer.alloc(500_000);
}

/** What is said of one request that takes 20 ms and whose body, if there is one, is taken whole. */
const linesOf = async (url: string, init: RequestInit, answer: () => Response): Promise<readonly string[]> => {
  const log = memoryLog();
  let now = 0;
  const fetch: Fetch = async (_input, { body: sent } = {}) => {
    if (sent && typeof sent === 'object' && Symbol.asyncIterator in sent) for await (const _ of sent);
    now += 20;
    return answer();
  };
  await withLog(fetch, log, { now: () => now })(url, init).catch(() => undefined);
  return log.lines;
};

it.each<[string, RequestInit, () => Response, string]>([
  [
    'https://r.example/v2/app/blobs/x?token=secret',
    {},
    () => new Response('abc', { headers: { 'content-length': '3' } }),
    'GET https://r.example/v2/app/blobs/x: 200, 20 ms, 3 B received',
  ],
  [
    'https://bob:pw@r.example/v2/app/blobs/uploads/1?_state=secret',
    { method: 'PATCH', body: body() },
    () => new Response(null, { status: 202, headers: { 'content-length': '0' } }),
    'PATCH https://r.example/v2/app/blobs/uploads/1: 202, 20 ms, 1.5 MB sent',
  ],
  ['https://r.example/v2/', { method: 'HEAD' }, () => new Response(null, { status: 404 }), '404, 20 ms'],
  [
    'https://r.example/v2/',
    {},
    () => {
      throw new TypeError('fetch failed');
    },
    'GET https://r.example/v2/: no answer, 20 ms',
  ],
])('%s is told in one line, without what may be secret', async (url, init, answer, expected) => {
  const lines = await linesOf(url, init, answer);
  expect(lines).toEqual([expect.stringContaining(expected)]);
  expect(lines.join()).not.toMatch(/secret|pw|NaN/);
});
