import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { CachedPath } from '../../../src/cache/cache-index.ts';
import type { FileOfPack } from '../../../src/cache/pack-reader.ts';
import { CheckedPaths, packsOf } from '../../../src/cache/substituter/checked-paths.ts';
import { PackFiles } from '../../../src/cache/substituter/pack-files.ts';
import { Statistics } from '../../../src/cache/substituter/statistics.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { fromMap, sampleCache } from './served.ts';

const forever = new AbortController().signal;

/** A cache of `count` paths, each in a pack of its own or two, of which `diskLimit` bytes may be here. */
const scene = async (count: number, diskLimit = Number.MAX_SAFE_INTEGER) => {
  const folder = await mkdtemp(join(tmpdir(), 'nix-images-checked-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { index, packs: bytes } = sampleCache(count, { cut: 330 });
  const options = { folder, log: memoryLog(), statistics: new Statistics(), prefetch: 'asked', diskLimit } as const;
  const packs = new PackFiles(index.packs, { ...options, store: { name: 'a test', restore: fromMap(bytes) } });
  const use = vi.spyOn(packs, 'use');
  const checked = new CheckedPaths(packs);
  /** Has the packs of a path come. */
  const fetch = (path: CachedPath) => packs.use(packsOf(path), forever, async () => undefined);
  return { folder, paths: index.paths as readonly [CachedPath, CachedPath, CachedPath], checked, packs, use, fetch };
};

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Files of packs that cannot be read. */
const unreadable: FileOfPack = () => '/nonexistent/pack';

test('a path that Nix knows of is checked when its packs come, before anybody asks; another one is not', async () => {
  const { paths, checked, use, fetch } = await scene(3);
  const [told, untold] = paths;
  checked.tell(told, 0);
  await fetch(told);
  await fetch(untold);
  await vi.waitFor(() => expect(use).toHaveBeenCalledTimes(3));
  await use.mock.results.at(-1)?.value;
  // It is known without a look at the file.
  expect(await checked.faultOf(told, unreadable)).toBeUndefined();
  expect(await checked.faultOf(untold, unreadable)).toMatch('/nonexistent/pack');
});

test('a path whose packs are here when Nix is told of it is checked at once, and once', async () => {
  const { paths, checked, use, fetch } = await scene(3);
  await fetch(paths[0]);
  checked.tell(paths[0], 0);
  checked.tell(paths[0], 0);
  await use.mock.results.at(-1)?.value;
  checked.tell(paths[0], 0);
  await turn();
  expect(use).toHaveBeenCalledTimes(2);
  expect(await checked.faultOf(paths[0], unreadable)).toBeUndefined();
});

test('what is wrong is found out ahead as well', async () => {
  const { folder, paths, checked, packs, fetch } = await scene(3);
  const [path] = paths;
  await fetch(path);
  await writeFile(join(folder, `${packsOf(path)[0]}.pack`), 'damaged');
  checked.tell(path, 0);
  const fault = await packs.use(packsOf(path), forever, (fileOf) => checked.faultOf(path, fileOf));
  expect(fault).toMatch(/ends \d+ bytes before|cannot be unpacked/);
});

test('a pack that was dropped and came again is read again', async () => {
  const { folder, paths, checked, packs, fetch } = await scene(3, 700);
  const [path, , other] = paths;
  checked.tell(path, 0);
  const fault = (): Promise<string | undefined> =>
    packs.use(packsOf(path), forever, (fileOf) => checked.faultOf(path, fileOf));
  expect(await fault()).toBeUndefined();
  await fetch(other);
  expect(packs.areHere(packsOf(path))).toBe(false);
  await fetch(path);
  await copyFile('/dev/null', join(folder, `${packsOf(path)[0]}.pack`));
  expect(await fault()).toMatch(/ends \d+ bytes before/);
});

test('two paths are checked at once, and no more', async () => {
  const { paths, checked, packs, fetch } = await scene(6);
  for (const path of paths) await fetch(path);
  const read = new Set<CachedPath>();
  const faults = paths.map((path) =>
    packs.use(packsOf(path), forever, (fileOf) =>
      checked.faultOf(path, (pack) => {
        read.add(path);
        return fileOf(pack);
      }),
    ),
  );
  // All that begin at once have begun; reading takes further turns.
  while (read.size === 0) await turn();
  expect(read.size).toBe(2);
  expect(await Promise.all(faults)).toEqual(paths.map(() => undefined));
  expect(read.size).toBe(paths.length);
});

test('a path that could not be checked ahead keeps no other one from it', async () => {
  const { paths, checked, use, fetch } = await scene(3);
  const [first, second] = paths;
  await fetch(first);
  await fetch(second);
  use.mockRejectedValueOnce(new Error('gone'));
  checked.tell(first, 0);
  checked.tell(second, 0);
  await vi.waitFor(() => expect(use).toHaveBeenCalledTimes(4));
  await use.mock.results.at(-1)?.value;
  expect(await checked.faultOf(second, unreadable)).toBeUndefined();
});

test('nothing is fetched to check ahead: not what was dropped meanwhile, nor when all ends', async () => {
  const { paths, checked, packs, use, fetch } = await scene(6, 1200);
  const [first, second] = paths;
  await fetch(second);
  await fetch(first);
  const blocked = Promise.withResolvers<undefined>();
  use.mockReturnValueOnce(blocked.promise);
  checked.tell(first, 0);
  checked.tell(second, 0);
  for (const path of paths.slice(3)) await fetch(path);
  expect(packs.areHere(packsOf(second))).toBe(false);
  const calls = use.mock.calls.length;
  blocked.resolve(undefined);
  await turn();
  const last = paths.at(-1) as CachedPath;
  packs.close();
  checked.tell(last, 0);
  expect(use).toHaveBeenCalledTimes(calls);
});

test('a pack that is read is not dropped, however little room there is', async () => {
  const { paths, packs, fetch } = await scene(3, 700);
  const [path, , other] = paths;
  await packs.use(packsOf(path), forever, async () => {
    await fetch(other);
    expect(packs.areHere(packsOf(path))).toBe(true);
  });
});

test('of paths that wait to be checked the one that Nix takes first is next', async () => {
  const { paths, checked, use, fetch } = await scene(3);
  const [first, later, sooner] = paths;
  for (const path of paths) await fetch(path);
  checked.tell(first, 0);
  checked.tell(later, 1);
  checked.tell(sooner, 0);
  await vi.waitFor(() => expect(use).toHaveBeenCalledTimes(6));
  const ahead = use.mock.calls.slice(3).map(([numbers]) => numbers);
  expect(ahead).toEqual([first, sooner, later].map(packsOf));
});
