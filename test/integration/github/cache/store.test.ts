import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { pullRequestScopes } from '../../../emulators/results/tokens.ts';
import { CLIENT_VERSION, newFolder, openGitHub, openResults, openStore, randomPack } from './kit.ts';

// Each transfer is a process that loads GitHub's client, half a second of processor; that is what these tests take their time for.

const KEY = 'nix-images-v1-pack-abc-1';

/** Puts an archive into the cache as any job of the repository could. */
const plant = (results: Awaited<ReturnType<typeof openResults>>, key: string, bytes: Buffer): void => {
  const entry = results.caches.reserve('refs/heads/main', key, CLIENT_VERSION);
  if (!entry) throw new Error(`${key} is taken`);
  results.blobs.putBlob(entry.path, { bytes, contentType: 'application/octet-stream' });
  results.caches.finalize(entry, bytes.length);
};

test('what is saved is restored, by its key and by the beginning of it; nothing stays behind', async () => {
  const results = await openResults();
  const { store, said, log, leftovers } = await openStore(results);
  const folder = await newFolder();
  const pack = await randomPack(folder, 100_000);
  expect(await store.save(KEY, pack.path)).toEqual({ kind: 'saved' });
  expect(results.caches.all()[0]?.version).toBe(CLIENT_VERSION);
  const [back, newest] = [join(folder, 'back'), join(folder, 'newest')];
  expect(await store.restore(KEY, back)).toBe(true);
  expect((await readFile(back)).equals(pack.bytes)).toBe(true);
  expect(await store.restoreNewest('nix-images-v1-pack-', newest)).toBe(KEY);
  expect((await readFile(newest)).equals(pack.bytes)).toBe(true);
  expect(await leftovers()).toEqual([]);
  expect(said()).toEqual([]);
  // What signs the URLs of blobs is hidden in whatever is logged later.
  expect(log.masked.length).toBeGreaterThan(0);
  expect(log.lines.join()).not.toContain('sig=');
});

test('a key that only begins like the one wanted is a miss, without a word', async () => {
  const results = await openResults();
  const { store, said } = await openStore(results);
  const folder = await newFolder();
  const { path } = await randomPack(folder, 1000);
  await store.save(`${KEY}2`, path);
  expect(await store.restore(KEY, join(folder, 'back'))).toBe(false);
  expect(await store.restore('nothing-like-it', join(folder, 'back'))).toBe(false);
  expect(said()).toEqual([]);
});

test('a pull request, of a fork too, reads what main has and writes for itself alone', async () => {
  const results = await openResults();
  const main = await openStore(results);
  const pull = await openStore(results, { job: { run: 8, scopes: pullRequestScopes(7) } });
  const folder = await newFolder();
  const { path } = await randomPack(folder, 1000);
  await main.store.save('index-1', path);
  expect(await pull.store.restoreNewest('index-', join(folder, 'a'))).toBe('index-1');
  expect(await pull.store.save('index-2', path)).toEqual({ kind: 'saved' });
  expect(await pull.store.restoreNewest('index-', join(folder, 'b'))).toBe('index-2');
  expect(await main.store.restoreNewest('index-', join(folder, 'c'))).toBe('index-1');
  expect(results.caches.all().map(({ ref }) => ref)).toEqual(['refs/pull/7/merge', 'refs/heads/main']);
});

test('an archive that somebody else stored under our key writes nothing but the one file', async () => {
  const results = await openResults();
  const { store } = await openStore(results);
  const folder = await newFolder();
  await mkdir(join(folder, 'outside'));
  const archive = execFileSync('python3', ['-'], {
    input: `
import io, sys, tarfile
out = tarfile.open(fileobj=sys.stdout.buffer, mode='w|')
def add(name, text, link=None):
    info = tarfile.TarInfo(name)
    info.size = len(text)
    if link: info.type, info.linkname, info.size = tarfile.SYMTYPE, link, 0
    out.addfile(info, io.BytesIO(text))
outside = ${JSON.stringify(join(folder, 'outside'))}
add(outside + '/absolute', b'bad')
add('../../relative', b'bad')
add('nix-images-entry', b'', outside)
add('nix-images-entry/through-link', b'bad')
add('nix-images-entry', b'good')
out.close()`,
  });
  plant(results, KEY, execFileSync('zstd', ['-q'], { input: archive }));
  expect(await store.restore(KEY, join(folder, 'back'))).toBe(true);
  expect(await readFile(join(folder, 'back'), 'utf8')).toBe('good');
  expect(await readdir(join(folder, 'outside'))).toEqual([]);
  expect(await readdir(folder)).toEqual(['back', 'outside']);
  // One that ends with a link is no entry at all.
  const link = execFileSync('tar', ['-c', '-C', folder, '--transform=s,outside,nix-images-entry,', 'outside']);
  plant(results, 'link', execFileSync('zstd', ['-q'], { input: link }));
  expect(await store.restore('link', join(folder, 'other'))).toBe(false);
});

for (const lookupCounts of [true, false]) {
  test(`an entry that is touched counts as used, where a look-up ${lookupCounts ? 'does' : 'alone does not'}`, async () => {
    const results = await openResults({ caches: { lookupCounts } });
    const github = await openGitHub(results, { permissions: { actions: 'read' } });
    const { store } = await openStore(results, { github });
    const { path } = await randomPack(await newFolder(), 1000);
    await store.save(KEY, path);
    const began = Date.now();
    await sleep(2);
    expect(await store.touch(KEY)).toBe(true);
    expect(results.caches.all()[0]?.accessedAt).toBeGreaterThan(began);
    expect(results.requests.filter(({ route }) => route === 'GetBlob').length).toBe(lookupCounts ? 0 : 1);
    expect(await store.touch('nothing')).toBe(false);
  });
}

test('lists, limits and deletions are those of REST; without a token there are none', async () => {
  const results = await openResults();
  const github = await openGitHub(results, { permissions: { actions: 'write' } });
  const { store } = await openStore(results, { github });
  plant(results, KEY, Buffer.from('x'));
  const [entry, ...others] = (await store.list()) ?? [];
  expect(others).toEqual([]);
  expect(entry).toMatchObject({ key: KEY, bytes: 1, ref: 'refs/heads/main' });
  expect(await store.limits()).toEqual({ bytes: 10e9, idleDays: 7 });
  // It is asked once, until something is stored or deleted.
  const asked = () => github.requests.filter((request) => request.includes('/actions/caches')).length;
  const before = asked();
  expect(await store.list()).toHaveLength(1);
  expect(asked()).toBe(before);
  if (entry) expect(await store.remove(entry)).toEqual({ kind: 'removed' });
  expect(await store.list()).toEqual([]);
  const { store: without } = await openStore(results);
  expect(await without.list()).toBeUndefined();
  if (entry) expect(await without.remove(entry)).toMatchObject({ kind: 'denied' });
});

/** A folder with links to these programs, as all of a PATH. */
const pathWith = async (programs: readonly string[]): Promise<string> => {
  const folder = await newFolder();
  for (const program of programs)
    await symlink(execFileSync('which', [program]).toString().trim(), join(folder, program));
  return folder;
};

test('without zstd the cache is used for what jobs without it have stored, and without tar not at all; both are said once', async () => {
  const results = await openResults();
  const { store } = await openStore(results);
  const folder = await newFolder();
  const { path } = await randomPack(folder, 1000);
  await store.save(KEY, path);
  const gzip = await openStore(results, { env: { PATH: await pathWith(['tar', 'gzip']) } });
  expect(await gzip.store.restore(KEY, join(folder, 'a'))).toBe(false);
  expect(await gzip.store.save(KEY, path)).toEqual({ kind: 'saved' });
  expect(await gzip.store.restore(KEY, join(folder, 'a'))).toBe(true);
  expect(gzip.said()).toEqual([
    "zstd is not installed: of GitHub's cache this job sees only what jobs without zstd have stored",
  ]);
  const none = await openStore(results, { env: { PATH: await newFolder() } });
  expect(await none.store.restore(KEY, join(folder, 'a'))).toBe(false);
  expect(await none.store.save(KEY, path)).toMatchObject({ kind: 'failed' });
  expect(none.said()).toEqual(["GitHub's cache is not used: tar is not installed"]);
});

test('a full disk is an error of this machine, and nothing is left behind', async () => {
  const results = await openResults();
  const folder = await newFolder();
  const { path } = await randomPack(folder, 1000);
  const bin = await newFolder();
  await writeFile(
    join(bin, 'tar'),
    '#!/bin/sh\necho "tar: cache.tzst: Wrote only 4096 of 10240 bytes: No space left on device" >&2\nexit 2\n',
    { mode: 0o755 },
  );
  const { store, leftovers } = await openStore(results, { env: { PATH: `${bin}:${process.env.PATH}` } });
  await expect(store.save(KEY, path)).rejects.toMatchObject({
    code: 'file',
    message: expect.stringContaining('no space left on device'),
  });
  plant(results, KEY, Buffer.from('x'));
  await expect(store.restore(KEY, join(folder, 'a'))).rejects.toMatchObject({ code: 'file' });
  expect(await leftovers()).toEqual([]);
});
