// Real Nix builds two images over 50 paths, which takes it some seconds: what is chosen, packed, named, and not sent twice.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CacheIndex } from '../../../src/cache/cache-index.ts';
import { findBuiltPaths, LARGEST_PATH } from '../../../src/cache/find-built.ts';
import { finishCache } from '../../../src/cache/finish.ts';
import { FolderStore } from '../../../src/cache/folder-store.ts';
import { gatherIndex } from '../../../src/cache/gather.ts';
import type { NeededPaths, NewPath } from '../../../src/cache/new-path.ts';
import { checkFrame, restorePack } from '../../../src/cache/pack-reader.ts';
import { saveCache } from '../../../src/cache/save.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { storePathName } from '../../../src/definition/store-path.ts';
import { dumpNar } from '../../../src/nix/dump-nar.ts';
import type { Nix } from '../../../src/nix/nix.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { nixVersionsUnderTest, openNixUnderTest } from '../../support/nix.ts';
import { X86 } from '../../support/systems.ts';
import { programPath } from '../../support/tools.ts';
import { nixEnv } from './fixture.ts';

const run = promisify(execFile);

/** Paths of 40 KB that do not pack: 20 that both images need, 15 that each has for itself. */
const EXPRESSION = `{ salt, busybox }:
let
  bb = builtins.path { path = busybox; name = "busybox-static"; };
  make = name: needs: derivation {
    inherit name salt needs;
    system = builtins.currentSystem;
    builder = "\${bb}/busybox";
    args = [ "sh" "-euc" ''
      echo "$needs" > $out
      \${bb}/busybox head -c 40000 /dev/urandom >> $out
    '' ];
  };
  several = count: prefix: needs: builtins.genList (n: make "\${prefix}-\${toString n}" needs) count;
  shared = several 20 "shared" [ ];
in [ (make "image-a" (several 15 "a" shared)) (make "image-b" (several 15 "b" shared)) ]
`;

/** A 32nd of all, as 64 MB of 2 GB are; a closure of 300 MB has a fifth. */
const PACK = 400_000;

const ATTEMPT = { run: '1', attempt: 1, system: X86, job: 'images' };
const [version] = nixVersionsUnderTest();
if (!version) throw new Error('there is no Nix');

let folder = '';
let nix: Nix;
let images: readonly string[] = [];
let since = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cache-save-'));
  await mkdir(join(folder, 'bb'));
  await copyFile(programPath('busybox'), join(folder, 'bb/busybox'));
  await writeFile(join(folder, 'images.nix'), EXPRESSION);
  since = Date.now() - 1000;
  const args = ['--no-out-link', join(folder, 'images.nix'), '--arg', 'busybox', join(folder, 'bb')];
  const salt = ['--argstr', 'salt', randomBytes(8).toString('hex')];
  images = (await run('nix-build', [...args, ...salt], { env: nixEnv(version) })).stdout.trim().split('\n');
  nix = await openNixUnderTest(version);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What each image needs, by its name. */
async function closuresOf(paths: ReadonlySet<string>): Promise<NeededPaths[]> {
  return await Promise.all(
    images.map(async (image) => {
      const { stdout } = await run('nix-store', ['-qR', image], {
        env: nixEnv(version as NonNullable<typeof version>),
      });
      const needed = stdout.split('\n').filter((path) => paths.has(path));
      return { system: X86, image: storePathName(image), paths: needed };
    }),
  );
}

/** A job: reads the index, looks what Nix has built, saves it, and is the last of its run. */
async function job(attempt: typeof ATTEMPT) {
  const log = memoryLog();
  const uploads: string[] = [];
  const store = new FolderStore(join(folder, 'cache'), undefined, { log, clock: systemClock });
  const save = store.save.bind(store);
  store.save = (key, file) => {
    uploads.push(key);
    return save(key, file);
  };
  const world = { store, log, folder, clock: systemClock };
  const rules = { ref: undefined, governs: true, deadRefs: new Set<string>() };
  const { index } = await gatherIndex(world, await store.list(), { ...rules, run: attempt.run });
  const { chosen } = await findBuiltPaths(nix, {
    images: new Set(images),
    cached: new Set(index.paths.map(({ path }) => path)),
    largest: LARGEST_PATH,
    since,
    ownCaches: [],
    fetch: globalThis.fetch,
    signal: new AbortController().signal,
  });
  // The store of this machine has more than this test's.
  const ours = new Set((await run('nix-store', ['-qR', ...images])).stdout.split('\n'));
  const fresh = chosen.filter(({ path }) => ours.has(path));
  const needed = await closuresOf(new Set([...fresh, ...index.paths].map(({ path }) => path)));
  const built = fresh.map(({ path, narHash, narSize, references, seconds = 1 }): NewPath => {
    const [image, other] = needed.filter(({ paths }) => paths.includes(path)).map((one) => one.image);
    const base = { path, narHash, narSize, references, seconds, system: X86, isLeaf: false };
    return image === undefined || other !== undefined ? base : { ...base, image };
  });
  const readNar = (path: string, use: (nar: AsyncIterable<Uint8Array>) => Promise<void>) => dumpNar(nix, path, use);
  const report = await saveCache(world, { attempt, rules, index, built, needed, readNar, packLimit: PACK });
  const inSave = uploads.length;
  const { index: merged } = await finishCache(world, { attempt, rules, packLimit: PACK });
  return { world, log, uploads, inSave, report, merged };
}

/** Names of the paths in each pack, in order. */
const packsOf = ({ packs, paths }: CacheIndex): string[][] =>
  packs.map((_, at) =>
    paths
      .filter(({ pieces }) => pieces.some(({ pack }) => pack === at))
      .sort((a, b) => (a.pieces[0]?.offset ?? 0) - (b.pieces[0]?.offset ?? 0))
      .map(({ path }) => storePathName(path).replace(/-\d+$/, '')),
  );

test('what Nix built for two images is stored once, in few packs by who needs it, and not sent again', async () => {
  const first = await job(ATTEMPT);
  expect(first.report).toMatchObject({ lost: 0, packs: 6 });
  expect(first.report.stored.length).toBe(50);
  // Packs and the part that names them; then the index.
  expect(first.inSave).toBe(7);
  expect(first.uploads.length).toBe(8);
  expect(first.log.lines.filter((line) => /not stored|will be built again/.test(line))).toEqual([]);
  const { merged, world } = first;
  const names = merged.paths.map(({ path }) => storePathName(path));
  expect(names.filter((name) => name.startsWith('image'))).toEqual([]);
  expect(merged.closures.map(({ image, paths }) => [image, paths.length]).sort()).toEqual([
    ['image-a', 35],
    ['image-b', 35],
  ]);
  const imagesOf = Object.groupBy(merged.paths, ({ image = 'shared' }) => image);
  expect(Object.entries(imagesOf).map(([image, paths = []]) => [image, paths.length])).toEqual(
    expect.arrayContaining([
      ['shared', 20],
      ['image-a', 15],
      ['image-b', 15],
    ]),
  );
  const kinds = packsOf(merged).map((pack) => [...new Set(pack)].join());
  expect(kinds.slice(0, 2)).toEqual(['shared', 'shared']);
  expect(kinds.filter((kind) => kind === 'a' || kind === 'b').length).toBeGreaterThanOrEqual(2);
  for (const [number, pack] of merged.packs.entries()) {
    expect(await restorePack(world, pack, join(folder, `restored-${number}`))).toBe(true);
  }
  for (const path of merged.paths) await checkFrame(path, (pack) => join(folder, `restored-${pack}`));

  const second = await job({ ...ATTEMPT, run: '2' });
  expect(second.report).toMatchObject({ stored: [], packs: 0, bytes: 0, lost: 0 });
  expect(second.uploads).toEqual([]);
});
