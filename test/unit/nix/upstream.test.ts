import { expect, test } from 'vitest';
import type { Nix } from '../../../src/nix/nix.ts';
import { findUpstream } from '../../../src/nix/upstream.ts';
import { memoryLog } from '../../support/memory-log.ts';

const pathOf = (name: string): string => `/nix/store/${name.repeat(32)}-name`;
const [ONE, TWO, THREE] = ['1', '2', '3'].map(pathOf) as [string, string, string];
const ALL = [ONE, TWO, THREE];

const narinfo = (path: string, ...more: string[]): string =>
  [`StorePath: ${path}`, 'URL: nar/x', 'NarHash: sha256:x', 'NarSize: 1', ...more, ''].join('\n');

type Answers = Readonly<Record<string, () => Response | Promise<Response>>>;

/** A Nix with these substituters, and a network of these answers; what is not there is a 404. */
function world(substituters: readonly string[], answers: Answers, elsewhere: readonly string[] = []) {
  const log = memoryLog();
  const asked: string[] = [];
  const byNix: string[][] = [];
  const nix = {
    version: { implementation: 'nix', major: 2, minor: 26, text: '' },
    log,
    storeSettings: async () => ({
      substituters: substituters.map((url) => ({ url, trusted: url.includes('trusted=1') })),
      elsewhere: undefined,
      trustedKeys: ['good-1'],
    }),
    command: async (args: readonly string[]) => {
      byNix.push([...args]);
      const entries = ALL.filter((path) => args.includes(path)).map((path) => [
        path,
        elsewhere.includes(path) ? { narHash: `sha256-${'A'.repeat(43)}=`, narSize: 1, references: [] } : null,
      ]);
      return { exitCode: 0, stdout: JSON.stringify(Object.fromEntries(entries)), stderr: '' };
    },
  } as unknown as Nix;
  const fetch = (async (input: URL, init: RequestInit) => {
    asked.push(input.href);
    init.signal?.throwIfAborted();
    if (input.hostname === 'down.example') throw new TypeError('fetch failed');
    const headers = new Headers(init.headers);
    const answer = answers[headers.has('authorization') ? `${headers.get('authorization')} ${input.href}` : input.href];
    return answer ? await answer() : new Response('', { status: 404 });
  }) as typeof globalThis.fetch;
  const ask = async (except: readonly string[] = [], paths: readonly string[] = ALL) => [
    ...(await findUpstream(nix, paths, { fetch, signal: new AbortController().signal, except })),
  ];
  return { ask, asked, byNix, log };
}

const at = (cache: string, path: string): string => `${cache}/${path.slice(11, 43)}.narinfo`;
const CACHE = 'https://cache.example';

test('takes what a substituter has under a key that is trusted', async () => {
  const { ask } = world([`${CACHE}?priority=10`], {
    [at(CACHE, ONE)]: () => new Response(narinfo(ONE, 'Sig: good-1:x')),
    [at(CACHE, TWO)]: () => new Response(narinfo(TWO, 'Sig: bad-1:x')),
  });
  expect(await ask()).toEqual([ONE]);
});

test('a cache that needs no signature, and a path that proves itself', async () => {
  const other = 'http://other.example/sub';
  const { ask } = world([CACHE, `${other}/?trusted=1`], {
    [at(CACHE, ONE)]: () => new Response(narinfo(ONE, 'CA: fixed:sha256:x')),
    [at(other, TWO)]: () => new Response(narinfo(TWO)),
  });
  expect(await ask()).toEqual([ONE, TWO]);
});

test('the next one is asked only for what the first does not have, and our own not at all', async () => {
  const [second, own] = ['https://second.example', 'http://127.0.0.1:5/secret'];
  const { ask, asked } = world([CACHE, own, second], {
    [at(CACHE, ONE)]: () => new Response(narinfo(ONE, 'Sig: good-1:x')),
  });
  await ask([`${own}?priority=1`]);
  expect(asked.filter((url) => url.startsWith(second))).toEqual([at(second, TWO), at(second, THREE)]);
  expect(asked.filter((url) => url.startsWith(own))).toEqual([]);
});

test('follows redirects, without the login of the first', async () => {
  const login = `Basic ${Buffer.from('me:pass').toString('base64')}`;
  const moved = () => new Response('', { status: 302, headers: { location: 'https://objects.example/1?sig=x' } });
  const { ask } = world(['https://me:pass@cache.example'], {
    [`${login} ${at(CACHE, ONE)}`]: moved,
    'https://objects.example/1?sig=x': () => new Response(narinfo(ONE, 'Sig: good-1:x')),
  });
  expect(await ask()).toEqual([ONE]);
});

test.each<[string, () => Response]>([
  ['the narinfo of another path', () => new Response(narinfo(TWO, 'Sig: good-1:x'))],
  ['a page for a login', () => new Response('<html>', { status: 200 })],
  ['a redirect to itself', () => new Response('', { status: 302, headers: { location: at(CACHE, ONE) } })],
  ['403, as buckets say', () => new Response('', { status: 403 })],
])('%s is not an answer', async (_what, answer) => {
  expect(await world([CACHE], { [at(CACHE, ONE)]: answer }).ask()).toEqual([]);
});

test('a cache that wants a login is asked by Nix, which has it', async () => {
  const { ask, byNix } = world([CACHE], { [at(CACHE, TWO)]: () => new Response('', { status: 401 }) }, [TWO]);
  expect(await ask()).toEqual([TWO]);
  expect(byNix[0]).toContain(CACHE);
});

test('stores that only Nix can reach are asked by Nix', async () => {
  const { ask, byNix, asked } = world(['s3://bucket?region=x'], {}, [THREE]);
  expect(await ask()).toEqual([THREE]);
  expect([byNix.length, asked.length]).toEqual([1, 0]);
});

test('a cache that is down is given up, with one line, and counts as empty', async () => {
  const { ask, log, asked } = world(['https://down.example', CACHE], {
    [at(CACHE, ONE)]: () => new Response(narinfo(ONE, 'Sig: good-1:x')),
  });
  const many = Array.from({ length: 100 }, (_, number) => pathOf('0').replace(/0{8}/, String(10_000_000 + number)));
  expect(await ask([], [...many, ONE])).toEqual([ONE]);
  const first = asked.filter((url) => url.startsWith('https://down.example')).length;
  expect(first).toBeLessThanOrEqual(8 + 24);
  expect(log.lines.filter((line) => line.includes('skipped'))).toEqual([
    'substituter https://down.example is skipped: it does not answer',
  ]);
});
