import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { zstdDecompressSync } from 'node:zlib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { CachedPath } from '../../../src/cache/cache-index.ts';
import type { Prefetch } from '../../../src/cache/substituter/pack-files.ts';
import { fromMap, narinfoOf, narOf, SECRET, sampleCache, serveSample } from './served.ts';

let running: Awaited<ReturnType<typeof serveSample>>[] = [];
afterEach(async () => {
  for (const one of running) await one.close();
  running = [];
});

const serve: typeof serveSample = async (...given) => {
  const one = await serveSample(...given);
  running.push(one);
  return one;
};

const [FIRST, SECOND, THIRD] = [0, 1, 2];
const at = (paths: readonly CachedPath[], number: number): CachedPath => paths[number] as CachedPath;

describe('what is asked', () => {
  test('the cache, a path, its NAR, and the heads of these', async () => {
    const { index, packs, nars } = sampleCache(3);
    const { get } = await serve(index, fromMap(packs));
    const info = await get('nix-cache-info');
    expect([info.status, String(info.body)]).toEqual([200, 'StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 100\n']);
    const path = at(index.paths, SECOND);
    expect(String((await get(narinfoOf(path))).body)).toContain(`StorePath: ${path.path}\nURL: ${narOf(path)}\n`);
    const nar = await get(narOf(path));
    expect(zstdDecompressSync(nar.body).equals(nars[SECOND] as Buffer)).toBe(true);
    for (const asked of ['nix-cache-info', narinfoOf(path), narOf(path)]) {
      expect(await get(asked, 'HEAD')).toEqual({ status: 200, body: Buffer.alloc(0) });
    }
  });

  test('a NAR counts as served though the one who asked goes away with its last byte', async () => {
    const { index, packs } = sampleCache(30);
    const { server, statistics } = await serve(index, fromMap(packs));
    const { port } = new URL(server.url);
    const ask = (path: CachedPath): Promise<void> =>
      new Promise((resolve, reject) => {
        const socket = connect(Number(port), '127.0.0.1').on('error', reject).on('close', resolve);
        let got = Buffer.alloc(0);
        socket.on('data', (data) => {
          got = Buffer.concat([got, data]);
          const head = got.indexOf('\r\n\r\n');
          const length = Number(/content-length: (\d+)/i.exec(got.toString('latin1'))?.[1]);
          if (head >= 0 && got.length >= head + 4 + length) socket.destroy();
        });
        socket.write(`GET /${SECRET}/${narOf(path)} HTTP/1.1\r\nHost: x\r\n\r\n`);
      });
    for (const path of index.paths) await ask(path);
    await vi.waitFor(() => expect(statistics.sum()).toMatchObject({ paths: 30, lost: 0 }));
  });

  test('a NAR does not count as served where the one who asked goes away before', async () => {
    // More than the kernel keeps for a connection.
    const { index, packs } = sampleCache(1, { bytes: 16_000_000 });
    const { server, statistics, get } = await serve(index, fromMap(packs));
    const { port } = new URL(server.url);
    const path = at(index.paths, FIRST);
    await new Promise<void>((resolve, reject) => {
      const socket = connect(Number(port), '127.0.0.1').on('error', reject);
      socket.on('close', () => resolve());
      socket.once('data', () => socket.destroy());
      socket.write(`GET /${SECRET}/${narOf(path)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    });
    expect((await get(narOf(path), 'HEAD')).status).toBe(200);
    await setTimeout(50);
    expect(statistics.sum().paths).toBe(0);
  });

  test('everything else is not there, whoever asks', async () => {
    const { index, packs } = sampleCache(1);
    const { ask, get } = await serve(index, fromMap(packs));
    const path = at(index.paths, FIRST);
    const wrong = [
      '/',
      '/nix-cache-info',
      `/${SECRET}`,
      `/${SECRET}/`,
      `/${SECRET.slice(1)}/nix-cache-info`,
      `/${SECRET}x/nix-cache-info`,
      `//${SECRET}/nix-cache-info`,
      `/${SECRET}/../${SECRET}/nix-cache-info`,
      `/${SECRET}/nar/../nix-cache-info`,
      `/${SECRET}/nar/${'z'.repeat(32)}.nar.zst`,
      `/${SECRET}/${narOf(path)}/more`,
      `/${SECRET}/${'z'.repeat(32)}.narinfo`,
      `/${SECRET}/__proto__.narinfo`,
    ];
    for (const one of wrong) expect((await ask(one)).status, one).toBe(404);
    for (const method of ['PUT', 'POST', 'DELETE', 'OPTIONS'])
      expect((await get('nix-cache-info', method)).status).toBe(404);
    expect((await ask(`/${SECRET}/nix-cache-info?x=y`)).status).toBe(200);
  });

  test('what is not HTTP gets no answer, and those who ask well still do', async () => {
    const { index, packs } = sampleCache(1);
    const { server, get } = await serve(index, fromMap(packs));
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    let said = '';
    socket.on('data', (data) => {
      said += data;
    });
    await new Promise((resolve) => {
      socket.on('close', resolve);
      socket.on('error', () => undefined);
      socket.write('\u0016\u0003\u0001 not HTTP\r\n\r\n');
    });
    expect(said).toBe('');
    expect((await get('nix-cache-info')).status).toBe(200);
  });

  test('nobody but this machine can connect', async () => {
    const { index, packs } = sampleCache(1);
    const { server } = await serve(index, fromMap(packs));
    expect(new URL(server.url).hostname).toBe('127.0.0.1');
    const refused = await new Promise((resolve) => {
      const socket = connect(Number(new URL(server.url).port), '127.0.0.2');
      socket.on('error', () => resolve(true));
      socket.on('connect', () => resolve(false));
    });
    expect(refused).toBe(true);
  });
});

describe('packs', () => {
  test('come when the first NAR is asked for, two at a time, and once; those that Nix was told of follow', async () => {
    const { index, packs } = sampleCache(6, { cut: 330 });
    const asked: string[] = [];
    let atOnce = 0;
    let most = 0;
    const { get } = await serve(index, async (key, file) => {
      most = Math.max(most, ++atOnce);
      asked.push(key);
      await setTimeout(20);
      atOnce -= 1;
      return await fromMap(packs)(key, file);
    });
    for (const number of [FIRST, SECOND, THIRD]) await get(narinfoOf(at(index.paths, number)));
    await setTimeout(50);
    expect(asked).toEqual([]);
    const paths = [FIRST, FIRST, 5].map((number) => at(index.paths, number));
    const answers = await Promise.all(paths.map((path) => get(narOf(path))));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const keysOf = (number: number): string[] =>
      at(index.paths, number).pieces.map(({ pack }) => index.packs[pack]?.key ?? '');
    const expected = new Set([...keysOf(FIRST), ...keysOf(5), ...keysOf(SECOND), ...keysOf(THIRD)]);
    await vi.waitFor(() => expect(new Set(asked)).toEqual(expected));
    expect(asked.length).toBe(expected.size);
    expect(most).toBe(2);
    // Nobody waits for them, and none depends on another.
    expect(keysOf(THIRD)).toContain(asked.at(-1));
  });

  test('come in the order in which Nix will need them, though it was told of the last one alone', async () => {
    const { index, packs } = sampleCache(6, { cut: 330 });
    // Each refers to the one behind it, which is of the packs behind.
    const paths = index.paths.map((path, at) => ({
      ...path,
      references: index.paths.slice(at + 1).map((one) => one.path),
    }));
    const asked: string[] = [];
    const restore: Parameters<typeof serveSample>[1] = (key, file) => {
      asked.push(key);
      return fromMap(packs)(key, file);
    };
    const { get } = await serve({ ...index, paths }, restore, { prefetch: 'told' });
    await get(narinfoOf(at(paths, FIRST)));
    await vi.waitFor(() => expect(asked.length).toBe(index.packs.length));
    const numberOf = (key: string): number => index.packs.findIndex((pack) => pack.key === key);
    const lowest = asked.map((key) =>
      paths.findLastIndex(({ pieces }) => pieces.some(({ pack }) => pack === numberOf(key))),
    );
    expect(lowest).toEqual([...lowest].sort((a, b) => b - a));
  });

  test.each<[Prefetch, number, number]>([
    ['told', 1, 1],
    ['missing', 0, 1],
    ['asked', 0, 0],
  ])('come before a NAR is asked for, when packs are to come once a path is %s', async (prefetch, told, missing) => {
    const { index, packs } = sampleCache(2, { cut: 330 });
    const asked: string[] = [];
    const restore: Parameters<typeof serveSample>[1] = (key, file) => {
      asked.push(key);
      return fromMap(packs)(key, file);
    };
    const prepare = vi.fn();
    const { get } = await serve(index, restore, { prefetch, prepare });
    const path = at(index.paths, FIRST);
    await get(narinfoOf(path));
    expect(prepare).not.toHaveBeenCalled();
    // Time for what should not come; what should may take longer.
    await setTimeout(50);
    await vi.waitFor(() => expect(asked.length).toBe(told * path.pieces.length));
    // It is built, so what it needs will be fetched: what Nix was told of, and what it will be told of.
    expect((await get(`${'a'.repeat(32)}.narinfo`)).status).toBe(404);
    await setTimeout(50);
    await vi.waitFor(() => expect(asked.length).toBe(missing * path.pieces.length));
    // The store knows that something will be wanted as soon as it is known that something is built.
    expect(prepare).toHaveBeenCalledTimes(prefetch === 'missing' ? 1 : 0);
    await get(narinfoOf(at(index.paths, SECOND)));
    await setTimeout(50);
    await vi.waitFor(() => expect(asked.length).toBe(missing * index.packs.length));
  });

  test('that are gone are asked for once, and the log says it once', async () => {
    const { index } = sampleCache(3);
    const asked: string[] = [];
    const { get, log, statistics } = await serve(index, async (key) => {
      asked.push(key);
      return false;
    });
    for (const path of index.paths) expect((await get(narOf(path))).status).toBe(404);
    expect(asked.length).toBe(1);
    expect(log.lines.filter((line) => line.includes('lost')).length).toBe(1);
    expect(statistics.sum()).toMatchObject({ lost: 3, packsLost: 1, paths: 0, bytes: 0 });
  });

  test.each<[string, () => Promise<boolean>]>([
    ['throws', () => Promise.reject(new Error('ENOSPC: no space left on device'))],
    ['says that it is there, and it is not', () => Promise.resolve(true)],
  ])('of a store that %s are built', async (_what, restore) => {
    const { index } = sampleCache(1);
    const { get, log } = await serve(index, restore);
    expect((await get(narOf(at(index.paths, FIRST)))).status).toBe(404);
    expect(log.lines.join('\n')).toMatch(/lost, what is in it will be built: .*(?:no space|ENOENT)/);
  });

  test('that do not come in time are a 404, and what waits for them ends with the server', async () => {
    const { index } = sampleCache(2);
    const one = await serve(index, () => new Promise(() => undefined), { patience: 100 });
    expect((await one.get(narOf(at(index.paths, FIRST)))).status).toBe(404);
    const slow = await serve(index, () => new Promise(() => undefined));
    const waiting = slow.get(narOf(at(index.paths, FIRST))).catch(() => ({ status: 0 }));
    await setTimeout(50);
    await slow.close();
    expect([0, 404]).toContain((await waiting).status);
    running = running.filter((other) => other !== slow);
  });

  test('take no more of the disk than they may, and come again when they were dropped', async () => {
    const { index, packs } = sampleCache(6, { cut: 330 });
    const asked: string[] = [];
    const { get } = await serve(
      index,
      (key, file) => {
        asked.push(key);
        return fromMap(packs)(key, file);
      },
      { diskLimit: 700 },
    );
    for (const path of [...index.paths, at(index.paths, FIRST)]) expect((await get(narOf(path))).status).toBe(200);
    const [first] = at(index.paths, FIRST).pieces;
    expect(asked.filter((key) => key === index.packs[first?.pack ?? 0]?.key).length).toBe(2);
  });
});

test('an intact path of a damaged pack is served, a damaged one is not', async () => {
  const { index, packs, nars } = sampleCache(3);
  const place = at(index.paths, SECOND).pieces[0]?.offset ?? 0;
  const changed = new Map([...packs].map(([key, bytes]) => [key, Buffer.from(bytes).fill(0, place + 20, place + 40)]));
  const { get, statistics } = await serve(index, async (key, file) => {
    await writeFile(file, changed.get(key) ?? '');
    return true;
  });
  const answers = await Promise.all(index.paths.map((path) => get(narOf(path))));
  expect(answers.map(({ status }) => status)).toEqual([200, 404, 200]);
  expect(zstdDecompressSync(answers[THIRD]?.body ?? Buffer.alloc(0)).equals(nars[THIRD] as Buffer)).toBe(true);
  // Counted when the last byte is on its way, which the one who asked may know sooner.
  await expect.poll(() => statistics.sum()).toMatchObject({ paths: 2, lost: 1, secondsSaved: 2 });
});
