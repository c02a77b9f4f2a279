// A real registry and a layout as a cache.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { restoreIndex, storeIndex } from '../../../src/cache/index-store.ts';
import { indexKey, jobPrefix, partKey } from '../../../src/cache/keys.ts';
import { cacheInLayout, cacheInRegistry } from '../../../src/cache/oci-place.ts';
import { OciStore } from '../../../src/cache/oci-store.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { UserError } from '../../../src/core/error.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { manifestBytes } from '../../../src/oci/manifest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { LayoutFolder } from '../../../src/storage/layout/layout-folder.ts';
import { LayoutRepository } from '../../../src/storage/layout/layout-repository.ts';
import { openForRemoval } from '../../../src/storage/open.ts';
import { startEmulator } from '../../emulators/registry/emulator.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { type RunningRegistry, startRegistry } from '../../support/registry.ts';
import { sampleIndex, samplePackKey } from '../../unit/cache/sample.ts';
import { testDeps } from '../storage/kit.ts';

let folder = '';
const at = (name: string): string => join(folder, name);
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cache-oci-'));
  await writeFile(at('file'), 'content');
});
afterEach(() => rm(folder, { recursive: true }));

const ONE = { run: '7', attempt: 1, system: 'x86_64-linux', job: 'app' };

describe('a layout', () => {
  function open(log = memoryLog()): OciStore {
    const tools = { log, clock: systemClock, signal: new AbortController().signal };
    const folder = new LayoutFolder(at('layout'), tools);
    return new OciStore(cacheInLayout(new LayoutRepository(at('layout'), tools), folder), tools);
  }

  test('an entry is found by its key, never changes, and is read by another process', async () => {
    const key = samplePackKey('a', { ...ONE, job: 'j'.repeat(90) });
    expect(key.length).toBeGreaterThan(128);
    expect(await open().save(key, at('file'))).toEqual({ kind: 'saved' });
    await writeFile(at('file'), 'other');
    expect(await open().save(key, at('file'))).toEqual({ kind: 'exists' });
    expect(await open().restore(key, at('out'))).toBe(true);
    expect(await readFile(at('out'), 'utf8')).toBe('content');
    expect(await open().touch(key)).toBe(true);
    expect(await open().restore(samplePackKey('b'), at('out'))).toBe(false);
  });

  test('the newest index and the newest part of a job are found by what their keys begin with', async () => {
    const log = memoryLog();
    const world = { store: open(log), log, folder };
    expect((await restoreIndex(world)).keys).toEqual([]);
    await storeIndex(world, indexKey(ONE), sampleIndex({ one: { a: {} } }));
    await storeIndex(world, indexKey({ ...ONE, run: '8' }), sampleIndex({ two: { b: {} } }));
    await storeIndex(world, partKey(ONE), sampleIndex({ three: { c: {} } }));
    const { keys } = await restoreIndex({ ...world, store: open(log) }, { prefixes: [jobPrefix(ONE)] });
    expect(keys).toEqual([indexKey({ ...ONE, run: '8' }), partKey(ONE)]);
    expect(log.lines).toEqual([]);
  });

  test('entries are listed and deleted, one by one', async () => {
    expect(await open().list()).toEqual([]);
    await keepTwo(open);
    // Two manifests, what both name by it, and the bytes of each.
    expect((await readdir(at('layout/blobs/sha256'))).length).toBe(5);
  });

  test('bytes that another process has deleted are a miss', async () => {
    const log = memoryLog();
    await open().save(samplePackKey('a'), at('file'));
    await rm(at('layout/blobs/sha256/ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73'));
    expect(await open(log).restore(samplePackKey('a'), at('out'))).toBe(false);
    expect(log.lines).toEqual([expect.stringMatching(/^cannot read nix-images-v1-pack-.* is missing$/)]);
  });

  test('a damaged entry is a miss, with a line in the log', async () => {
    const log = memoryLog();
    await open().save(samplePackKey('a'), at('file'));
    const digest = 'ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73';
    await writeFile(at(`layout/blobs/sha256/${digest}`), 'spoiled');
    expect(await open(log).restore(samplePackKey('a'), at('out'))).toBe(false);
    expect(log.lines).toEqual([expect.stringMatching(/^cannot read nix-images-v1-pack-/)]);
  });
});

/** What is stored, without what only the store knows. */
const shown = async (store: OciStore) =>
  (await store.list())?.map(({ key, bytes }) => ({ key, bytes })).sort((a, b) => (a.key < b.key ? -1 : 1));

/** Stores three entries, deletes one, and gives what is there then. */
async function keepTwo(open: () => OciStore) {
  const long = samplePackKey('c', { ...ONE, job: 'j'.repeat(90) });
  await open().save(samplePackKey('a'), at('file'));
  // The same bytes under another key: they stay when one of the two goes.
  await open().save(long, at('file'));
  await writeFile(at('file'), 'an index');
  const began = Date.now();
  await open().save(indexKey(ONE), at('file'));
  const entries = (await open().list()) ?? [];
  expect(entries.map(({ key }) => key).sort()).toEqual([indexKey(ONE), samplePackKey('a'), long].sort());
  const index = entries.find(({ key }) => key === indexKey(ONE));
  expect(index?.created).toBeGreaterThanOrEqual(began);
  expect(index?.created).toBeLessThanOrEqual(Date.now());
  const [gone] = entries.filter(({ key }) => key === samplePackKey('a'));
  if (!gone) throw new Error('it is not listed');
  const store = open();
  expect((await store.list())?.length).toBe(3);
  expect(await store.remove(gone)).toEqual({ kind: 'removed' });
  expect(await shown(store)).toEqual([
    { key: indexKey(ONE), bytes: 8 },
    { key: long, bytes: 7 },
  ]);
  expect(await open().remove(gone)).toEqual({ kind: 'gone' });
  expect(await open().restore(samplePackKey('a'), at('out'))).toBe(false);
  expect(await open().restore(long, at('out'))).toBe(true);
  expect(await open().restoreNewest('nix-images-v1-index-', at('out'))).toBe(indexKey(ONE));
}

describe('a registry', () => {
  let registry: RunningRegistry;
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(() => registry.stop());

  const open = (name: string, log = memoryLog()) =>
    new OciStore(cacheInRegistry(openForRemoval(parseReference(`${registry.host}/${name}`), testDeps())), {
      log,
      clock: systemClock,
    });

  test('keeps indexes and packs for another process', async () => {
    const world = { store: open('org/cache'), log: memoryLog(), folder };
    await open('org/cache').save(samplePackKey('a'), at('file'));
    await storeIndex(world, indexKey(ONE), sampleIndex({ a: { a: {} } }));
    expect((await restoreIndex({ ...world, store: open('org/cache') })).keys).toEqual([indexKey(ONE)]);
    expect(await open('org/cache').restore(samplePackKey('a'), at('out'))).toBe(true);
    expect(await readFile(at('out'), 'utf8')).toBe('content');
    expect(await open('org/other').restoreNewest('nix-images-v1-index-', at('out'))).toBeUndefined();
  });

  test('entries are listed and deleted, one by one', () => keepTwo(() => open('org/kept')));

  test('what is no entry is neither counted nor deleted, whatever it says of itself', async () => {
    const place = openForRemoval(parseReference(`${registry.host}/org/mixed`), testDeps());
    const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf(Buffer.from('{}')), size: 2 };
    await place.repository.putBlob(config, Buffer.from('{}'));
    async function tag(name: string, annotations: Record<string, string>, layers = [config]): Promise<void> {
      const bytes = manifestBytes(config, layers, annotations);
      await place.repository.tag(name, { bytes, mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes) });
    }
    const key = 'nix-images.cache.key';
    const later = '2999-01-01T00:00:00Z';
    await tag('latest', {});
    await tag('nix-images-v1-pack-plain', {});
    await tag('nix-images-v1-pack-other', { [key]: 'nix-images-v1-pack-one' });
    await tag('nix-images-v1-pack-layers', { [key]: 'nix-images-v1-pack-layers' }, [config, config]);
    await tag('nix-images-v1-index-1-1', {
      [key]: 'nix-images-v1-index-1-1',
      'org.opencontainers.image.created': later,
    });
    await tag('nix-images-v1-index-2-1', { [key]: 'nix-images-v1-index-2-1', 'org.opencontainers.image.created': 'x' });
    const entries = (await open('org/mixed').list()) ?? [];
    expect(entries.map(({ key }) => key).sort()).toEqual(['nix-images-v1-index-1-1', 'nix-images-v1-index-2-1']);
    const [future, unknown] = entries.map(({ created }) => created);
    expect(future).toBeLessThanOrEqual(Date.now());
    expect(unknown).toBe(0);
  });

  test('a repository that is not there cannot be listed, which is not worth a line', async () => {
    const log = memoryLog();
    expect(await open('org/nothing', log).list()).toBeUndefined();
    expect(log.lines).toEqual([]);
  });
});

test('all pages of tags are read', async () => {
  const emulator = await startEmulator({ tagsPerPage: 2 });
  onTestFinished(() => emulator.stop());
  const place = openForRemoval(parseReference(`${emulator.host}/org/cache`), testDeps());
  const open = () => new OciStore(cacheInRegistry(place), { log: memoryLog(), clock: systemClock });
  const keys = ['a', 'b', 'c', 'd', 'e'].map((content) => samplePackKey(content));
  for (const key of keys) await open().save(key, at('file'));
  expect((await shown(open()))?.map(({ key }) => key)).toEqual(keys.sort());
});

test('what a place refuses is said and no failure of the job; a stop is one', async () => {
  const emulator = await startEmulator();
  onTestFinished(() => emulator.stop());
  const log = memoryLog();
  const { repository } = openForRemoval(parseReference(`${emulator.host}/org/cache`), testDeps());
  const entry = { id: digestOf(Buffer.from('x')), key: samplePackKey('a'), bytes: 1, created: 0, used: 0 };
  function refusing(error: UserError): OciStore {
    const refuse = () => Promise.reject(error);
    return new OciStore({ repository, tags: refuse, remove: refuse }, { log, clock: systemClock });
  }
  const readOnly = refusing(new UserError('credentials', 'answered 403', { hint: 'Log in.' }));
  expect(await readOnly.remove(entry)).toEqual({ kind: 'denied', why: 'answered 403. Log in.' });
  expect(await readOnly.list()).toBeUndefined();
  expect(log.lines).toEqual([`cannot list ${repository.name}: answered 403`]);
  const broken = refusing(new UserError('registry', 'answered 500'));
  expect(await broken.remove(entry)).toEqual({ kind: 'failed', why: 'answered 500' });
  const stopped = refusing(new UserError('cancelled', 'interrupted'));
  await expect(stopped.remove(entry)).rejects.toThrow('interrupted');
  await expect(stopped.list()).rejects.toThrow('interrupted');
});
