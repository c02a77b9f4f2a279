import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { METHODS } from 'node:http';
import { zstdDecompressSync } from 'node:zlib';
import { expect } from 'vitest';
import { mapParallel } from '../../../src/core/parallel.ts';
import { fromMap, narinfoOf, narOf, SECRET, sampleCache, serveSample } from './served.ts';

/** Numbers that look random and are the same each time. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const isRight = (body: Buffer, narHash: string): boolean =>
  `sha256-${createHash('sha256').update(zstdDecompressSync(body)).digest('base64')}` === narHash;

/** Asks for `count` variations of what a cache has: everything but the thing itself is a 404, and the server lives on. */
export async function fuzzRequests(count: number, seed: number): Promise<void> {
  const random = createRandom(seed);
  const { index, packs } = sampleCache(20, { cut: 2000 });
  const one = await serveSample(index, fromMap(packs));
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
  const right = [
    `/${SECRET}/nix-cache-info`,
    ...index.paths.flatMap((path) => [narOf(path), narinfoOf(path)]).map((path) => `/${SECRET}/${path}`),
  ];
  const methods = METHODS.filter((method) => method !== 'CONNECT');
  const bits = [
    '..',
    '/',
    '//',
    '%2e%2e',
    '%00',
    '?',
    '.narinfo',
    '.nar.zst',
    'nar/',
    SECRET,
    'ä',
    '\\',
    '~',
    '0',
    ';',
    '*',
  ];
  const change = (path: string): string => {
    const from = random(path.length + 1);
    return path.slice(0, from) + pick(bits) + path.slice(from + random(4));
  };
  const urls = Array.from({ length: count }, () => {
    let path = pick(right);
    for (let times = random(3); times > 0; times--) path = change(path);
    return {
      path: encodeURI(path).replaceAll('%25', '%'),
      method: random(8) === 0 ? pick(methods) : pick(['GET', 'HEAD']),
    };
  });
  try {
    await mapParallel(urls, 32, async ({ path, method }) => {
      // A target without a slash is not HTTP: there is no answer.
      if (!path.startsWith('/')) {
        const status = await one.ask(path, method).then(
          (answer) => answer.status,
          () => 404,
        );
        expect(status, `${method} ${path}`).toBe(404);
        return;
      }
      const { status, body } = await one.ask(path, method);
      const asked = path.split('?')[0] ?? '';
      const isThere = right.includes(asked) && (method === 'GET' || method === 'HEAD');
      expect(status, `${method} ${path}`).toBe(isThere ? 200 : 404);
      if (!isThere || method === 'HEAD') expect(body.length).toBe(0);
      const nar = index.paths.find((candidate) => asked === `/${SECRET}/${narOf(candidate)}`);
      if (isThere && nar && method === 'GET') expect(isRight(body, nar.narHash)).toBe(true);
    });
    expect((await one.get('nix-cache-info')).status).toBe(200);
  } finally {
    await one.close();
  }
}

/** Serves `count` paths from packs in which much is changed: whatever is answered, no wrong byte is among it. */
export async function fuzzPacks(
  count: number,
  seed: number,
): Promise<{ readonly served: number; readonly refused: number }> {
  const random = createRandom(seed);
  const { index, packs } = sampleCache(count, { cut: 20_000 });
  const damaged = new Map(
    [...packs].map(([key, bytes]) => {
      let copy = Buffer.from(bytes);
      // One change in 600 bytes: about half of the frames have none.
      for (let times = bytes.length / 600; times > 0; times--) copy.writeUInt8(random(256), random(copy.length));
      if (random(6) === 0) copy = copy.subarray(0, random(copy.length));
      if (random(10) === 0) copy = Buffer.concat([copy.subarray(0, 5000), copy]);
      return [key, copy];
    }),
  );
  const one = await serveSample(index, async (key, file) => {
    await writeFile(file, damaged.get(key) ?? '');
    return true;
  });
  let [served, refused] = [0, 0];
  try {
    await mapParallel(index.paths, 16, async (path) => {
      const { status, body } = await one.get(narOf(path));
      if (status !== 200) {
        expect(status).toBe(404);
        refused += 1;
        return;
      }
      expect(isRight(body, path.narHash)).toBe(true);
      served += 1;
    });
  } finally {
    await one.close();
  }
  return { served, refused };
}
