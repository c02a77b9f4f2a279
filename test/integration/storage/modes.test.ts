import { describe, expect, it } from 'vitest';
import { Connections } from '../../../src/host/connections.ts';
import { createFetch } from '../../../src/host/http-fetch.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { copyManifestTree } from '../../../src/storage/copy.ts';
import type { Credential } from '../../../src/storage/registry/auth/credential.ts';
import type { EmulatorOptions } from '../../emulators/registry/emulator.ts';
import { MIB } from '../../support/bytes.ts';
import { start, UPLOAD } from './client.ts';
import { indexOf, noise, putImage, writeBlob } from './kit.ts';

// Above what is held back, and below what would make these tests slow.
const LARGE = 17 * MIB;

const BOB: Credential = { kind: 'basic', username: 'bob', password: 'secret', origin: 'a test' };
const USERS = { bob: 'secret' };
const FETCH = { fetch: createFetch(new Connections({ env: () => undefined, config: '/nonexistent' })) };

/** Pushes an index of two platforms with a large and a small layer, and reads all of it back, checked on the way. */
const pushAndRead = async ({ open }: Awaited<ReturnType<typeof start>>): Promise<void> => {
  const repository = open();
  const children = await Promise.all([
    putImage(repository, 'amd64', LARGE).then(({ manifest }) => ({ manifest, architecture: 'amd64' })),
    putImage(repository, 'arm64').then(({ manifest }) => ({ manifest, architecture: 'arm64' })),
  ]);
  const index = indexOf(children);
  await repository.tag('1.0', index);
  const copy = await start();
  expect((await copyManifestTree('1.0', open('org/app', 'read'), [copy.open()])).root.digest).toBe(index.digest);
};

describe('an image with a large layer goes to a registry', () => {
  const uploads: readonly (readonly [string, EmulatorOptions])[] = [
    ['with a limit on chunks', { largestChunk: 4 * MIB }],
    ['with a limit on chunks that it announces chunks beside', { largestChunk: 4 * MIB, minimumChunk: MIB }],
    ['that takes one PATCH only', { takesOnePatch: true }],
    ['that takes one PATCH only, and announces chunks', { takesOnePatch: true, minimumChunk: MIB }],
    ['that tells no status of uploads', { hidesUploads: true }],
    ['that tells no status of uploads, in chunks', { hidesUploads: true, minimumChunk: MIB }],
    ['whose Range stays where it was', { hasStuckRange: true }],
    ['whose Range stays where it was, in chunks', { hasStuckRange: true, minimumChunk: MIB }],
    ['that says little of what it took', { isTerse: true }],
    ['that says little of what it took, in chunks', { isTerse: true, minimumChunk: MIB }],
    ['whose Location is signed', { locationQuery: 'sig=a%20b~c+d%2f(*)' }],
  ];
  it.each(uploads)('%s', async (_name, options) => {
    await pushAndRead(await start(options, FETCH));
  });

  // Those that say nothing, or nothing true, of what has arrived.
  it.each(
    uploads.filter(([name]) => /status|Range/.test(name)),
  )('%s, and the line is cut once', async (_name, options) => {
    const registry = await start(options, FETCH);
    // The small layer goes in a PUT.
    registry.emulator.inject({
      kind: 'cut-upload',
      after: 3 * MIB,
      keep: true,
      method: 'PATCH',
      path: UPLOAD,
    });
    await pushAndRead(registry);
  });

  // Two streams are cut, then a chunk: what is left of that is too small to be a part by itself.
  it.each([
    ['private', { hasStuckRange: true, isTerse: true }],
    ['public', { hidesUploads: true }],
  ])('that wants parts of 5 to 10 MiB, as ECR %s does, and the line is cut three times', async (_name, ways) => {
    const registry = await start({ parts: { smallest: 5 * MIB, largest: 10 * MIB }, ...ways }, FETCH);
    const fault = { kind: 'cut-upload', after: 6 * MIB, keep: true, method: 'PATCH', path: UPLOAD, times: 3 } as const;
    registry.emulator.inject(fault);
    await pushAndRead(registry);
    const chunks = registry.emulator.requests.filter(({ headers }) => headers['content-range'] !== undefined);
    expect(chunks.length).toBeGreaterThan(0);
  });

  it.each([307, 308] as const)('that sends uploads to another origin with %i', async (status) => {
    const storage = await start({}, FETCH);
    const registry = await start({ sendsUploadsTo: { origin: `http://${storage.emulator.host}`, status } }, FETCH);
    const bytes = noise(LARGE, 'moved');
    await writeBlob(registry.open(), bytes);
    await writeBlob(registry.open(), bytes.subarray(0, 1000));
    for (const blob of [bytes, bytes.subarray(0, 1000)])
      expect(storage.emulator.store.blob('org/app', digestOf(blob))?.bytes.equals(blob)).toBe(true);
  });

  it('that sends uploads elsewhere, without taking the credentials along', async () => {
    const storage = await start({}, FETCH);
    const origin = `http://${storage.emulator.host}`;
    const auth = { scheme: 'basic', users: USERS } as const;
    const registry = await start(
      { auth, sendsUploadsTo: { origin, status: 307 } },
      { ...FETCH, keychain: { find: async () => BOB } },
    );
    await writeBlob(registry.open(), noise(LARGE, 'moved'));
    expect(registry.emulator.requests.some(({ headers }) => headers.authorization !== undefined)).toBe(true);
    expect(storage.emulator.requests.map(({ headers }) => headers.authorization)).toEqual(
      storage.emulator.requests.map(() => undefined),
    );
  });

  it.each([
    ['that asks who we are at /v2/ only', { scheme: 'token', users: USERS, challengesAtRootOnly: true }],
    ['the same with passwords', { scheme: 'basic', users: USERS, challengesAtRootOnly: true }],
    ['whose tokens have an empty twin', { scheme: 'token', users: USERS, emptyTokenField: true }],
  ] as const)('%s', async (_name, auth) => {
    const registry = await start({ auth }, { ...FETCH, keychain: { find: async () => BOB } });
    await pushAndRead(registry);
    expect(registry.emulator.trace().filter((line) => line === 'GET /v2/').length).toBeLessThanOrEqual(2);
  });
});

it('a large layer goes up in one PATCH without Content-Range and Content-Length', async () => {
  const { emulator, open } = await start({}, FETCH);
  await writeBlob(open(), noise(LARGE, 'one'));
  const patches = emulator.requests.filter(({ method }) => method === 'PATCH');
  expect(patches).toHaveLength(1);
  expect(patches[0]?.headers).toMatchObject({ 'transfer-encoding': 'chunked' });
  expect(patches[0]?.headers).not.toHaveProperty('content-range');
});

it.each([
  411, 413, 501,
])('a proxy that answers %i to a stream gets chunks, and each later layer too', async (status) => {
  const { emulator, open } = await start({}, FETCH);
  emulator.inject({ kind: 'early-status', status, method: 'PATCH', path: UPLOAD });
  const repository = open();
  await writeBlob(repository, noise(LARGE, 'first'));
  await writeBlob(repository, noise(LARGE, 'second'));
  const ranges = emulator.requests.filter(({ method }) => method === 'PATCH').map(({ headers }) => headers);
  expect(ranges.filter((headers) => headers['content-range'] === undefined)).toHaveLength(1);
  expect(emulator.store.uploads.size).toBe(0);
});

it('a registry that hides what it has asks nobody who has no credentials twice', async () => {
  const { emulator, open } = await start();
  expect(await open('org/app', 'read').getManifest('1.0')).toBeUndefined();
  expect(emulator.trace()).toEqual(['GET /v2/org/app/manifests/1.0']);
});
