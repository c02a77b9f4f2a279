import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Connections } from '../../../src/host/connections.ts';
import { createFetch } from '../../../src/host/http-fetch.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import type { StoredManifest } from '../../../src/oci/read-manifest.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import { openRegistry } from '../../../src/storage/open.ts';
import type { Credential } from '../../../src/storage/registry/auth/credential.ts';
import { type EmulatorOptions, type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import type { Fault } from '../../emulators/registry/faults.ts';
import { MIB } from '../../support/bytes.ts';
import { type Cut, startRelay } from '../../support/relay.ts';
import { cranePath, runProgram } from '../../support/tools.ts';
import { UPLOAD } from './client.ts';
import { blobOf, indexOf, noise, tarFile, testDeps, writeBlob } from './kit.ts';

// Some seconds: more than fifty pushes of 9 MiB, and crane after those that were cut.

const BOB: Credential = { kind: 'basic', username: 'bob', password: 'secret', origin: 'a test' };
const AUTH = { scheme: 'token', users: { bob: 'secret' }, anonymousPull: true } as const;

/** An image: a layer that is sent as it comes, or one that is sent at once. */
const imageOf = (architecture: string, size: number) => {
  const tar = Buffer.concat([tarFile('data', noise(size, architecture)), Buffer.alloc(1024)]);
  const layer = gzipSync(tar, { level: 0 });
  const rootfs = { type: 'layers', diff_ids: [digestOf(tar)] };
  const config = Buffer.from(JSON.stringify({ architecture, os: 'linux', config: {}, rootfs }));
  const content = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: blobOf(config, MEDIA_TYPE.config),
    layers: [blobOf(layer)],
  };
  const bytes = Buffer.from(JSON.stringify(content));
  const manifest: StoredManifest = { bytes, mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes) };
  return { architecture, layer, config, manifest };
};

const IMAGES = [imageOf('amd64', 9 * MIB), imageOf('arm64', 5000)];
const INDEX = indexOf(IMAGES);

/** As a publish does it: layers at once, then configs, manifests, the index, the tag. */
const push = async (repository: Repository): Promise<void> => {
  await Promise.all(IMAGES.map(({ layer }) => writeBlob(repository, layer)));
  for (const { config, manifest } of IMAGES) {
    await repository.putBlob(blobOf(config, MEDIA_TYPE.config), config);
    await repository.putManifest(manifest);
  }
  await repository.putManifest(INDEX);
  await repository.tag('1.0', INDEX);
};

/** The registry has the index under the tag, and every byte of it. */
const expectRight = ({ store }: RegistryEmulator): void => {
  expect(store.manifest('org/app', '1.0')?.bytes.equals(INDEX.bytes)).toBe(true);
  for (const { layer, config, manifest } of IMAGES) {
    expect(store.manifest('org/app', manifest.digest)?.bytes.equals(manifest.bytes)).toBe(true);
    for (const bytes of [layer, config]) expect(store.blob('org/app', digestOf(bytes))?.bytes.equals(bytes)).toBe(true);
  }
  expect(store.uploads.size).toBe(0);
};

/** Somebody else reads the image with the large layer. */
const expectValid = async ({ host }: RegistryEmulator): Promise<void> => {
  const image = `${host}/org/app@${IMAGES[0]?.manifest.digest}`;
  expect(await runProgram(cranePath(), ['validate', '--remote', image])).toMatchObject({ exitCode: 0, stderr: '' });
};

/** Pushes to `host`, or to a relay before it, with a clock that does not wait. */
const start = async (options: EmulatorOptions, cut?: Cut) => {
  const emulator = await startEmulator({ auth: AUTH, ...options });
  onTestFinished(() => emulator.stop());
  const relay = await startRelay(Number(emulator.host.split(':')[1]), cut);
  onTestFinished(() => relay[Symbol.asyncDispose]());
  const fetch = createFetch(new Connections({ env: () => undefined, config: '/nonexistent' }));
  const deps = testDeps({ fetch, keychain: { find: async () => BOB } });
  const open = () => openRegistry(parseReference(`${relay.host}/org/app`), 'write', deps);
  return { emulator, relay, deps, open };
};

const MANIFEST = /\/manifests\//;
const BLOB = /\/blobs\/sha256:/;
const RETRY_AFTER = { 'retry-after': '3' };

type Case = readonly [string, Fault, EmulatorOptions];

const status = (method: string, path: RegExp, code: number, more: object = {}): Fault => ({
  kind: 'status',
  method,
  path,
  status: code,
  ...more,
});

/** Where a push can be hit. */
const PLACES: readonly (readonly [string, string, RegExp])[] = [
  ['the look-up of a blob', 'HEAD', BLOB],
  ['the start of an upload', 'POST', UPLOAD],
  ['a layer on its way', 'PATCH', UPLOAD],
  ['the end of an upload', 'PUT', UPLOAD],
  ['a manifest', 'PUT', MANIFEST],
];

const CASES: readonly Case[] = [
  ...PLACES.flatMap(([name, method, path]): Case[] => [
    [`the token ends at ${name}`, { kind: 'revoke-tokens', method, path }, {}],
    [`429 with Retry-After at ${name}`, status(method, path, 429, { headers: RETRY_AFTER, times: 2 }), {}],
    [`429 without Retry-After at ${name}`, status(method, path, 429, { times: 2 }), {}],
    [`503 at ${name}`, status(method, path, 503, { times: 2 }), {}],
    [`the answer to ${name} is lost`, { kind: 'lose-answer', method, path }, {}],
  ]),
  ['401 on HEAD, whoever asks', status('HEAD', BLOB, 401, { times: 0 }), { refusesBlobHead: true }],
  ['401 on HEAD, once', status('HEAD', BLOB, 401), {}],
  ...[0, 1 * MIB, 8 * MIB].flatMap((after): Case[] => [
    [
      `500 after ${after} bytes of a PATCH`,
      { kind: 'mid-status', method: 'PATCH', path: UPLOAD, status: 500, after },
      {},
    ],
    [
      `503 after ${after} bytes of a chunk`,
      { kind: 'mid-status', method: 'PATCH', path: UPLOAD, status: 503, after: Math.min(after, MIB), times: 2 },
      { minimumChunk: MIB },
    ],
  ]),
];

describe('a push ends right when', () => {
  it.each(CASES)('%s', async (_name, fault, options) => {
    const { emulator, open } = await start(options);
    emulator.inject(fault);
    await push(open());
    expectRight(emulator);
  });
});

/** Numbers from 0 up to 1, the same in each run (the generator of Numerical Recipes). */
function* numbers(seed: number): Generator<number> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

describe('a push ends right with the connection cut', () => {
  // What a push without cuts moves, of which 9 MiB are the large layer; its end is cut as often as its middle.
  const UP = IMAGES.reduce((sum, { layer }) => sum + layer.length, 0) + 10_000;
  const random = numbers(20_26);
  const next = (): number => random.next().value ?? 0;
  const cuts: Cut[] = Array.from({ length: 20 }, (_, number) =>
    number % 4 === 3
      ? { direction: 'down', at: Math.floor(next() * 4000) }
      : { direction: 'up', at: Math.floor(number % 4 === 2 ? next() * 8000 : next() * UP) },
  );
  it.each(cuts)('after byte $at $direction', async (cut) => {
    const { emulator, relay, open } = await start({}, cut);
    await push(open());
    expect(relay.hasCut).toBe(true);
    expectRight(emulator);
    await expectValid(emulator);
  });
});
