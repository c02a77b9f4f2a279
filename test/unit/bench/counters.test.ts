import { describe, expect, test } from 'vitest';
import { parseCounters } from '../../../bench/measure/process-counters.ts';
import { inTurn, parseTimes } from '../../../bench/measure/usage.ts';
import { countRequests } from '../../../bench/registry/access-log.ts';
import { versionIn } from '../../../bench/subjects/newer-skopeo.ts';

describe('parseCounters', () => {
  const io = 'rchar: 30022653\nwchar: 5\nsyscr: 1\n';

  test('reads CPU and bytes, whatever the process is called', () => {
    const stat = '42 (a) (b c) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 7 8 20 0 9 0 1000 1 1';
    expect(parseCounters(stat, io)).toEqual({ cpuSeconds: 2, bytesRead: 30022653 });
  });

  test.each([
    ['', io],
    ['42 (a) S 1 42 42 0 -1 0 0 0 0 0 150 50', 'wchar: 1\n'],
  ])('refuses %j with %j', (stat, text) => {
    expect(() => parseCounters(stat, text)).toThrow('cannot be read');
  });
});

describe('parseTimes', () => {
  test('sums user and system time', () => {
    expect(parseTimes('1.50 0.25 2048\n')).toEqual({ cpuSeconds: 1.75, largestProcess: 2 ** 21 });
  });

  test('refuses what is something else', () => {
    expect(() => parseTimes('Command exited with non-zero status 1\n1.50 0.25 2048\n')).toThrow('GNU time');
  });
});

test('commands one after another: times add up, memory does not', () => {
  const one = { wallSeconds: 1, cpuSeconds: 2, largestProcess: 10, tree: 10 };
  const two = { wallSeconds: 3, cpuSeconds: 1, largestProcess: 5, tree: 20 };
  expect(inTurn([one, two])).toEqual({ wallSeconds: 4, cpuSeconds: 3, largestProcess: 10, tree: 20 });
});

test('requests are counted, but not our own look at the result', () => {
  const log = [
    'time="2026-11-21T11:18:27Z" level=info msg="listening on 127.0.0.1:5000"',
    '127.0.0.1 - - [21/Nov/2026:11:18:26 +0000] "GET /v2/ HTTP/1.1" 200 2 "" "skopeo/1.9.3"',
    '127.0.0.1 - - [21/Nov/2026:11:18:26 +0000] "HEAD /v2/a/blobs/sha256:f5 HTTP/1.1" 404 157 "" "skopeo/1.9.3"',
    'time="2026-11-21T11:18:27Z" level=info msg="response completed" http.request.method=PUT http.request.uri=/v2/c',
    '127.0.0.1 - - [21/Nov/2026:11:18:27 +0000] "GET /v2/a/manifests/latest HTTP/1.1" 200 9 "" "nix-images-bench"',
  ].join('\n');
  expect(countRequests(log, 'nix-images-bench')).toBe(2);
});

test.each([
  ['skopeo version 1.22.0 commit: abc', '1.22.0'],
  ['v0.20.0\n', '0.20.0'],
  ['tar (GNU tar) 1.34\nCopyright (C) 2021', '1.34'],
  ['unknown', 'unknown'],
])('the version in %j is %s', (text, expected) => {
  expect(versionIn(text)).toBe(expected);
});
