import { describe, expect, test } from 'vitest';
import { gatherIndex } from '../../../src/cache/gather.ts';
import { encodeIndex } from '../../../src/cache/index-file.ts';
import { UserError } from '../../../src/core/error.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { House } from './house-fixture.ts';
import { sampleIndex } from './sample.ts';

const kinds = (house: House) => house.store.keys().map((key) => key.split('-')[3]);

describe('runs that follow one another', () => {
  test('what one stores the next is served, and an equal run stores and deletes nothing', async () => {
    const house = new House();
    const paths = [house.builds.build('lib', 60_000), house.builds.build('app', 5_000, { isLeaf: true })];
    expect(await house.save('1', paths)).toMatchObject({ lost: 0, packs: 2 });
    expect(house.store.calls.filter((call) => call.startsWith('save')).at(-1)).toContain('part');
    expect(await house.served()).toEqual([]);
    expect((await house.finish('1')).isStored).toBe(true);
    expect(await house.served()).toEqual(['app', 'lib']);
    expect(kinds(house)).toEqual(['pack', 'pack', 'index']);

    house.store.calls.length = 0;
    expect(await house.save('2', paths)).toMatchObject({ lost: 0, packs: 0, stored: [] });
    expect((await house.finish('2')).isStored).toBe(false);
    expect(house.store.calls.filter((call) => /^(?:save|remove)/.test(call))).toEqual([]);
    expect(house.log.lines).toEqual([]);
  });

  test('several build jobs of one run, with one path in common', async () => {
    const house = new House();
    const lib = house.builds.build('lib', 10_000);
    await house.save('1', [lib, house.builds.build('a', 5000)], { job: 'a' });
    await house.save('1', [lib, house.builds.build('b', 5000)], { job: 'b' });
    const { index } = await house.finish('1');
    expect(index.paths.map(({ path }) => path.slice(44)).sort()).toEqual(['a', 'b', 'lib']);
    expect(index.closures.map(({ image, paths }) => [image, paths.length]).sort()).toEqual([
      ['a', 2],
      ['b', 2],
    ]);
    expect(await house.served()).toEqual(['a', 'b', 'lib']);
  });

  test('two attempts of a job: both are merged, and the pack that is there twice goes', async () => {
    const house = new House();
    const app = house.builds.build('app', 20_000);
    await house.save('1', [app]);
    await house.save('1', [app], { attempt: { run: '1', attempt: 2, system: 'x86_64-linux', job: 'app' } });
    expect(kinds(house)).toEqual(['pack', 'part', 'pack', 'part']);
    await house.finish('1');
    expect(kinds(house)).toEqual(['pack', 'index']);
    expect(await house.served()).toEqual(['app']);
  });

  test('a run that never ended is merged by the next one', async () => {
    const house = new House();
    await house.save('1', [house.builds.build('app', 5000)]);
    await house.save('2', [house.builds.build('web', 5000)], { job: 'web' });
    await house.finish('2');
    expect(await house.served()).toEqual(['app', 'web']);
  });

  test('two that end at once: what the later index does not know is found again by the next', async () => {
    const house = new House();
    await house.save('1', [house.builds.build('a', 5000)], { job: 'a' });
    await house.finish('1');
    // The second writer read the store before the first one wrote: as if there were neither its index nor its packs.
    const first = new Map(house.store.entries);
    house.store.entries.clear();
    await house.save('2', [house.builds.build('b', 5000)], { job: 'b' });
    await house.finish('2');
    for (const [id, entry] of first) house.store.entries.set(id, entry);
    expect(await house.served()).toEqual(['b']);
    await house.save('3', [house.builds.build('c', 5000)], { job: 'c' });
    await house.finish('3');
    expect(await house.served()).toEqual(['a', 'b', 'c']);
  });
});

describe('the limit', () => {
  test('is kept over twenty runs of changing images, with packs written again, and every path that is served is right', async () => {
    const house = new House();
    house.limit = 300_000;
    for (let run = 1; run <= 20; run += 1) {
      const paths = [1, 2, 3, 4, 5, 6].map((n) => {
        const version = Math.floor(run / n);
        const name = `p${n}-${version}`;
        const known = house.builds.nars.get(name);
        return house.builds.build(name, known?.length ?? 25_000 + n * 1000, { seconds: n });
      });
      await house.save(String(run), paths);
      const { plan } = await house.finish(String(run));
      expect(plan.after).toBeLessThanOrEqual(300_000);
      expect(house.bytes('nix-images-v1-pack-')).toBeLessThanOrEqual(300_000);
      // Indexes are small against packs of 64 MB; here they are not.
      expect(house.bytes()).toBeLessThanOrEqual(330_000);
      await house.served();
    }
    expect((await house.served()).length).toBeGreaterThan(5);
  });

  test('a pack of which a third is needed is written again', async () => {
    const house = new House();
    const keep = house.builds.build('keep', 10_000);
    await house.save('1', [keep, house.builds.build('old', 25_000)]);
    await house.finish('1');
    house.limit = 30_000;
    await house.save('2', [keep, house.builds.build('new', 15_000)]);
    const { plan, index } = await house.finish('2');
    expect(plan.compacted).toHaveLength(1);
    expect(index.packs).toHaveLength(2);
    expect(await house.served()).toEqual(['keep', 'new']);
    expect(house.bytes()).toBeLessThan(30_000);
  });

  test('a damaged pack that was to be written again is dropped with what is in it', async () => {
    const house = new House();
    const keep = house.builds.build('keep', 10_000);
    await house.save('1', [keep, house.builds.build('old', 25_000)]);
    await house.finish('1');
    for (const [id, entry] of house.store.entries) {
      if (entry.key.includes('-pack-')) house.store.entries.set(id, { ...entry, content: Buffer.alloc(entry.bytes) });
    }
    house.limit = 30_000;
    await house.save('2', [keep, house.builds.build('new', 15_000)]);
    const { index } = await house.finish('2');
    expect(house.log.lines).toContainEqual(
      expect.stringMatching(/^a pack of the cache is not used, .* has the SHA-256 /),
    );
    expect(index.paths.map(({ path }) => path.slice(44))).toEqual(['new']);
    expect(await house.served()).toEqual(['new']);
  });

  test('dead refs go first, and what another tool stored stays', async () => {
    const house = new House();
    house.store.ref = 'refs/pull/7/merge';
    await house.save('1', [house.builds.build('pr', 5000)]);
    await house.finish('1');
    const pull = house.store.keys();
    house.store.ref = 'refs/heads/main';
    const other = { id: 'x', key: 'npm-1', ref: 'refs/pull/7/merge', bytes: 9, created: 0, used: 0 };
    house.store.entries.set('x', { ...other, content: Buffer.alloc(9) });
    house.deadRefs.add('refs/pull/7/merge');
    await house.save('2', [house.builds.build('app', 5000)]);
    const { removed } = await house.finish('2');
    // The part of the run is merged, and goes as well.
    expect(removed.entries).toBe(pull.length + 1);
    expect(house.store.keys('npm')).toEqual(['npm-1']);
    expect(await house.served()).toEqual(['app']);
  });
});

describe('what a store may do', () => {
  test.each<
    [
      string,
      Parameters<House['save']>[1] extends never ? never : (key: string, count: number) => object | undefined,
      RegExp,
    ]
  >([
    [
      'read-only',
      () => ({ kind: 'read-only', why: 'cache write denied' }),
      /may only read the test store: cache write denied$/,
    ],
    [
      'limited from the second pack on',
      (_key, count) => (count === 0 ? undefined : { kind: 'limited', until: 0 }),
      /takes no more uploads until 1970-/,
    ],
    ['failing', () => ({ kind: 'failed', why: 'HTTP 500' }), /HTTP 500$/],
    [
      'failing for the index alone',
      (key) => (key.includes('-part-') ? { kind: 'failed', why: 'HTTP 503' } : undefined),
      /HTTP 503$/,
    ],
  ])('%s: one line says what is lost, and nothing wrong is named', async (_what, save, line) => {
    const house = new House();
    house.store.faults.save = save as NonNullable<typeof house.store.faults.save>;
    const paths = [1, 2, 3, 4].map((n) => house.builds.build(`p${n}`, 30_000));
    const report = await house.save('1', paths);
    expect(report.lost).toBeGreaterThan(0);
    expect(report.stored.length + report.lost).toBe(4);
    const warnings = house.log.lines.filter((text) => text.includes('of 4 built paths are not in the cache'));
    expect(warnings).toEqual([expect.stringMatching(line)]);
    house.store.faults = {};
    await house.finish('1');
    expect((await house.served()).length).toBe(report.stored.length);
  });

  test('one upload that fails costs what is in that pack', async () => {
    const house = new House();
    house.store.faults.save = (_key, count) => (count === 1 ? { kind: 'failed', why: 'reset' } : undefined);
    const paths = [1, 2, 3, 4, 5].map((n) => house.builds.build(`p${n}`, 30_000));
    const { stored, lost } = await house.save('1', paths);
    expect(lost).toBeGreaterThan(0);
    expect(stored.length).toBeGreaterThan(1);
    await house.finish('1');
    expect((await house.served()).length).toBe(stored.length);
  });

  test('it refuses to delete: one line names the permission, what is new is merged, nothing is written again', async () => {
    const house = new House();
    await house.save('1', [house.builds.build('old', 35_000)]);
    await house.finish('1');
    house.store.faults.remove = () => ({ kind: 'denied', why: 'add `actions: write` to the permissions of this job' });
    house.limit = 40_000;
    await house.save('2', [house.builds.build('new', 20_000)]);
    const { isStored, removed } = await house.finish('2');
    expect({ isStored, entries: removed.entries }).toEqual({ isStored: true, entries: 0 });
    expect(house.log.lines).toEqual([
      'the cache cannot make room: the test store does not let this job delete: add `actions: write` to the permissions of this job',
    ]);
    expect(await house.served()).toEqual(['new', 'old']);
  });

  test('it cannot be listed: parts are found by their jobs, and nothing is deleted', async () => {
    const house = new House();
    house.store.faults.cannotList = true;
    await house.save('1', [house.builds.build('app', 5000)]);
    await house.finish('1', { prefixes: ['nix-images-v1-part-1-x86_64_linux-app-'] });
    expect(await house.served()).toEqual(['app']);
    expect(house.store.calls.filter((call) => call.startsWith('remove'))).toEqual([]);
  });

  test('packs are gone: the index forgets them and what is in them, and they are stored again', async () => {
    const house = new House();
    const app = house.builds.build('app', 5000);
    await house.save('1', [app]);
    await house.finish('1');
    for (const [id, { key }] of house.store.entries) if (key.includes('-pack-')) house.store.entries.delete(id);
    expect(await house.served()).toEqual([]);
    await house.save('2', [house.builds.build('web', 5000)], { job: 'web' });
    expect((await house.finish('2')).index.paths).toHaveLength(1);
    await house.save('3', [app]);
    await house.finish('3');
    expect(await house.served()).toEqual(['app', 'web']);
  });
});

describe('indexes of others', () => {
  const put = async (house: House, key: string, content: Buffer) => {
    const entry = { id: key, key, ref: house.store.ref, bytes: content.length, created: house.store.now, used: 0 };
    house.store.entries.set(key, { ...entry, content });
  };

  test('a newer version: nothing is written or deleted, and a line says so', async () => {
    const house = new House();
    const { zstdCompressSync } = await import('node:zlib');
    await put(house, 'nix-images-v1-index-9-1', zstdCompressSync(JSON.stringify({ version: 2 })));
    await house.save('1', [house.builds.build('app', 5000)]);
    house.store.calls.length = 0;
    expect((await house.finish('1')).isStored).toBe(false);
    expect(house.store.calls.filter((call) => /^(?:save|remove)/.test(call))).toEqual([]);
    expect(house.log.lines).toContainEqual(expect.stringMatching(/^the cache is left as it is: a newer version /));
  });

  test.each([
    ['an older version', { version: 0 }],
    ['nonsense', 'hello'],
  ])('%s: it counts as nothing, and the next index is written', async (_what, value) => {
    const house = new House();
    const { zstdCompressSync } = await import('node:zlib');
    await put(house, 'nix-images-v1-index-9-1', zstdCompressSync(JSON.stringify(value)));
    await house.save('1', [house.builds.build('app', 5000)]);
    await house.finish('1');
    expect(await house.served()).toEqual(['app']);
  });

  test('an index that names packs which are not there serves nothing of them', async () => {
    const house = new House();
    await put(house, 'nix-images-v1-index-9-1', encodeIndex(sampleIndex({ one: { a: {} } })));
    expect(await house.served()).toEqual([]);
    expect(house.log.lines).toEqual([expect.stringMatching(/is gone from the test store$/)]);
  });
});

describe('what this machine may do', () => {
  test('a path whose NAR is not what Nix said is left out by itself', async () => {
    const house = new House();
    const good = house.builds.build('good', 5000);
    const bad = house.builds.build('bad', 5000);
    house.builds.nars.set(bad.path, Buffer.alloc(5000));
    expect(await house.save('1', [bad, good])).toMatchObject({ lost: 1 });
    await house.finish('1');
    expect(await house.served()).toEqual(['good']);
  });

  test('a path that cannot be read is left out by itself', async () => {
    const house = new House();
    const paths = [house.builds.build('a', 5000), house.builds.build('b', 5000)];
    const readNar: typeof house.builds.readNar = (path, use) =>
      path === paths[0]?.path
        ? Promise.reject(new UserError('build', `cannot read ${path}: it is not valid`))
        : house.builds.readNar(path, use);
    expect(await house.save('1', paths, { readNar })).toMatchObject({ lost: 1 });
  });

  test('a full disk ends the saving with one line, and keeps what was stored before', async () => {
    const house = new House();
    const paths = [1, 2, 3].map((n) => house.builds.build(`p${n}`, 45_000, { seconds: 10 - n }));
    let reads = 0;
    const readNar: typeof house.builds.readNar = (path, use) => {
      reads += 1;
      if (reads < 3) return house.builds.readNar(path, use);
      return Promise.reject(new UserError('file', 'cannot write pack-2: no space left on device'));
    };
    const { stored, lost } = await house.save('1', paths, { readNar });
    expect({ stored: stored.length, lost }).toEqual({ stored: 2, lost: 1 });
    expect(house.log.lines[0]).toBe(
      '1 of 3 built paths are not in the cache and will be built again: cannot write pack-2: no space left on device',
    );
  });

  test('a job that is cancelled while it saves ends as cancelled, and leaves packs that nobody is told of', async () => {
    const house = new House();
    const paths = [1, 2, 3].map((n) => house.builds.build(`p${n}`, 45_000));
    let saves = 0;
    house.store.faults.before = (what) => {
      if (what.startsWith('save') && ++saves === 2) throw new UserError('cancelled', 'cancelled');
    };
    await expect(house.save('1', paths)).rejects.toMatchObject({ code: 'cancelled' });
    house.store.faults = {};
    expect(kinds(house)).toEqual(['pack']);
    house.store.now += 25 * 3_600_000;
    await house.save('2', [house.builds.build('web', 5000)], { job: 'web' });
    await house.finish('2');
    expect(await house.served()).toEqual(['web']);
    expect(kinds(house)).toEqual(['pack', 'index']);
  });
});

describe("a pull request's run", () => {
  test('has what its base has, and what it stores is its own', async () => {
    const house = new House();
    const lib = house.builds.build('lib', 5000);
    await house.save('1', [lib]);
    await house.finish('1');
    const base = house.store.keys();
    house.store.ref = 'refs/pull/9/merge';
    expect((await house.save('2', [lib, house.builds.build('change', 5000)])).stored).toHaveLength(1);
    await house.finish('2');
    expect(await house.served()).toEqual(['change', 'lib']);
    house.store.ref = 'refs/heads/main';
    expect(await house.served()).toEqual(['lib']);
    expect(house.store.keys()).toEqual(expect.arrayContaining(base));
  });

  test('sees what its base stored after it, beside its own', async () => {
    const house = new House();
    house.store.ref = 'refs/pull/9/merge';
    await house.save('1', [house.builds.build('change', 5000)]);
    await house.finish('1');
    house.store.ref = 'refs/heads/main';
    await house.save('2', [house.builds.build('lib', 5000)]);
    await house.finish('2');
    house.store.ref = 'refs/pull/9/merge';
    await house.save('3', [house.builds.build('more', 5000)], { job: 'more' });
    await house.finish('3');
    expect(await house.served()).toEqual(['change', 'lib', 'more']);
  });

  test('of a fork, with a token that may only read, goes on', async () => {
    const house = new House();
    house.store.ref = 'refs/pull/9/merge';
    house.store.faults.save = () => ({ kind: 'read-only', why: 'cache write denied' });
    expect(await house.save('2', [house.builds.build('a', 5000)])).toMatchObject({ lost: 1, packs: 0 });
    expect((await house.finish('2')).isStored).toBe(false);
  });
});

test('a job sees what another of its run stored a moment ago, listed or not', async () => {
  const house = new House();
  await house.save('7', [house.builds.build('lib', 30_000)], { job: 'Shared', needed: [] });
  await using folder = await uniqueTempDir('gather');
  const world = { store: house.store, log: memoryLog(), folder: folder.path };
  const prefixes = ['nix-images-v1-part-7-x86_64_linux-Shared-'];
  const seen = async (rest: object, entries: Parameters<typeof gatherIndex>[1]): Promise<number> =>
    (await gatherIndex(world, entries, { ref: house.store.ref, run: '7', ...rest })).index.paths.length;
  const listed = await house.store.list();
  expect(await seen({}, listed)).toBe(1);
  // GitHub's list may be late, and where it cannot be had, only the name helps.
  expect(await seen({ prefixes }, [])).toBe(1);
  expect(await seen({ prefixes }, undefined)).toBe(1);
  expect(await seen({}, [])).toBe(0);
  // What another run's index names and no list shows is gone.
  expect(await seen({ prefixes, run: '8' }, [])).toBe(0);
  const calls = house.store.calls.length;
  await seen({ prefixes }, listed);
  expect(house.store.calls.slice(calls).filter((call) => call.includes('-part-'))).toHaveLength(1);
});

test('a merged index is not asked for where nothing of ours is listed, and is where anything is', async () => {
  const house = new House();
  await using folder = await uniqueTempDir('gather');
  const world = { store: house.store, log: memoryLog(), folder: folder.path };
  const asked = async (): Promise<string[]> => {
    const before = house.store.calls.length;
    await gatherIndex(world, await house.store.list(), { ref: house.store.ref, run: '7' });
    return house.store.calls.slice(before).filter((call) => call.includes('-index-'));
  };
  expect(await asked()).toEqual([]);
  await house.save('6', [house.builds.build('lib', 30_000)]);
  expect(await asked()).toHaveLength(1);
});
