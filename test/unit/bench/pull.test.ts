import { expect, test } from 'vitest';
import { missedPull, type PullRun, pullText, STEPS, WAYS } from '../../../bench/pull/result.ts';
import { bytesSent } from '../../../bench/registry/access-log.ts';

const LINES = [
  '127.0.0.1 - - [29/Nov/2026:12:22:09 +0000] "GET /v2/ HTTP/1.1" 200 2 "" "containers/5.42.1"',
  'time="2026-11-29T12:22:09Z" level=info msg="response completed" http.request.method=GET http.response.status=206',
  '127.0.0.1 - - [29/Nov/2026:12:22:09 +0000] "GET /v2/img/blobs/sha256:ab HTTP/1.1" 206 4317 "" "containers/5.42.1"',
  '127.0.0.1 - - [29/Nov/2026:12:22:09 +0000] "HEAD /v2/img/blobs/sha256:ab HTTP/1.1" 200 1373541 "" "own"',
  '127.0.0.1 - - [29/Nov/2026:12:22:09 +0000] "GET /v2/img/blobs/sha256:cd HTTP/1.1" 404 157 "" "own"',
];

test('bytes of answers are those of GETs that had one', () => {
  expect(bytesSent(LINES.join('\n'))).toBe(4319);
});

test.each([
  ['less of all', 1, []],
  ['as much in one layer', 5, ['2 layers, zstd:chunked, leaf']],
])('%s', (_, ofLeaf, missed) => {
  const runs = WAYS.flatMap(({ name, compression }) =>
    STEPS.map((step): PullRun => {
      const isLeaf = step === 'leaf' && name.startsWith('2');
      return { way: name, step, bytes: 1e6 * (compression === 'zstd:chunked' ? (isLeaf ? ofLeaf : 2) : 5), seconds: 1 };
    }),
  );
  const result = { runs, loadBefore: 0.1 };
  expect(missedPull(result)).toEqual(missed);
  const text = pullText(result);
  expect(text).toMatch(/^100 layers, of zstd's +40\.0 % /m);
  expect(text).toContain(missed.length === 0 ? 'less is sent after each change' : `missed: ${missed[0]}`);
});
