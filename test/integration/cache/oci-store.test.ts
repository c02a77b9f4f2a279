// A real registry and a layout as a cache.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { restoreIndex, storeIndex } from '../../../src/cache/index-store.ts';
import { indexKey, jobPrefix, partKey } from '../../../src/cache/keys.ts';
import { OciStore } from '../../../src/cache/oci-store.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { LayoutRepository } from '../../../src/storage/layout/layout-repository.ts';
import { parseLocation } from '../../../src/storage/location.ts';
import { openRepository } from '../../../src/storage/open.ts';
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
  const open = (log = memoryLog()) =>
    new OciStore(
      new LayoutRepository(at('layout'), { log, clock: systemClock, signal: new AbortController().signal }),
      log,
    );

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
    expect(await open().list()).toBeUndefined();
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

  test('a damaged entry is a miss, with a line in the log', async () => {
    const log = memoryLog();
    await open().save(samplePackKey('a'), at('file'));
    const digest = 'ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73';
    await writeFile(at(`layout/blobs/sha256/${digest}`), 'spoiled');
    expect(await open(log).restore(samplePackKey('a'), at('out'))).toBe(false);
    expect(log.lines).toEqual([expect.stringMatching(/^cannot read nix-images-v1-pack-/)]);
  });
});

describe('a registry', () => {
  let registry: RunningRegistry;
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(() => registry.stop());

  const open = (name: string, log = memoryLog()) =>
    new OciStore(openRepository(parseLocation(`docker://${registry.host}/${name}`), testDeps()), log);

  test('keeps indexes and packs for another process', async () => {
    const world = { store: open('org/cache'), log: memoryLog(), folder };
    await open('org/cache').save(samplePackKey('a'), at('file'));
    await storeIndex(world, indexKey(ONE), sampleIndex({ a: { a: {} } }));
    expect((await restoreIndex({ ...world, store: open('org/cache') })).keys).toEqual([indexKey(ONE)]);
    expect(await open('org/cache').restore(samplePackKey('a'), at('out'))).toBe(true);
    expect(await readFile(at('out'), 'utf8')).toBe('content');
    expect(await open('org/other').restoreNewest('nix-images-v1-index-', at('out'))).toBeUndefined();
  });
});
