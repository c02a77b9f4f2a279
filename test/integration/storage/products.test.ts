import { describe, expect, it } from 'vitest';
import { Connections } from '../../../src/host/connections.ts';
import { createFetch } from '../../../src/host/http-fetch.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { copyManifestTree } from '../../../src/storage/copy.ts';
import type { Credential } from '../../../src/storage/registry/auth/credential.ts';
import type { EmulatorOptions } from '../../emulators/registry/emulator.ts';
import { SERVER } from '../../fixtures/certificates/index.ts';
import { MIB } from '../../support/bytes.ts';
import { start, UPLOAD } from './client.ts';
import { blobOf, indexOf, noise, putImage, putIndex, testDeps, writeBlob } from './kit.ts';

// Above what is held back.
const LARGE = 17 * MIB;

const FETCH = { fetch: createFetch(new Connections({ env: () => undefined, config: '/nonexistent' })) };
const BOB: Credential = { kind: 'basic', username: 'bob', password: 'secret', origin: 'a test' };
const TOKENS = { scheme: 'token', users: { bob: 'secret' } } as const;
const LOGGED_IN = { ...FETCH, keychain: { find: async () => BOB } };

const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

/** Pushes an index of two platforms with a large layer, and reads all of it back. */
const pushAndRead = async ({ open }: Awaited<ReturnType<typeof start>>, padding: number = 0): Promise<void> => {
  const index = await putIndex(open(), '1.0', padding);
  const copy = await start();
  expect((await copyManifestTree('1.0', open('org/app', 'read'), [copy.open()])).root.digest).toBe(index.digest);
};

describe('uploads end right', () => {
  it('Artifactory: bytes go into a PATCH, and that is tried once', async () => {
    const registry = await start({ needsPatch: true }, FETCH);
    await pushAndRead(registry);
    const refused = registry.emulator.requests.filter(({ method, status }) => method === 'PUT' && status === 404);
    expect(refused).toHaveLength(1);
  });

  it('Artifactory: an upload in chunks of which the last one is kept is sent again as a stream', async () => {
    const { emulator, open } = await start({ keepsLastChunk: true, minimumChunk: MIB }, FETCH);
    const bytes = noise(LARGE, 'chunks');
    await writeBlob(open(), bytes);
    expect(emulator.store.blob('org/app', digestOf(bytes))?.bytes.equals(bytes)).toBe(true);
  });

  it.each([
    ['as a stream', {}],
    ['in chunks', { minimumChunk: MIB }],
  ])('Azure: an upload whose connection broke is gone, and begins again, %s', async (_name, more) => {
    const registry = await start({ endsBrokenUploads: true, ...more }, FETCH);
    registry.emulator.inject({ kind: 'cut-upload', after: 3 * MIB, keep: true, method: 'PATCH', path: UPLOAD });
    await pushAndRead(registry, LARGE);
  });

  it('GitLab, Harbor: a token that ends before a stream does leads to chunks', async () => {
    const registry = await start({ auth: { ...TOKENS, bytesPerToken: 12 * MIB } }, LOGGED_IN);
    await pushAndRead(registry, LARGE);
    const streams = registry.emulator.requests.filter(
      ({ method, headers }) => method === 'PATCH' && headers['content-range'] === undefined,
    );
    expect(streams.map(({ status }) => status)).toEqual([401, 401]);
  });

  it.each<[string, EmulatorOptions]>([
    ['GitLab: the token allows the last scope only', { auth: { ...TOKENS, grantsLastScope: true } }],
    ['Artifactory: there are no mounts', { auth: TOKENS, refusesMounts: 404 }],
  ])('%s: layers are sent, and the mount is not asked for again', async (_name, options) => {
    const { emulator, open } = await start(options, LOGGED_IN);
    const blobs = ['a', 'b', 'c'].map((text) => Buffer.from(text));
    for (const bytes of blobs) emulator.store.putBlob('org/base', bytes);
    const repository = open();
    for (const bytes of blobs) {
      expect(await repository.mountBlob(blobOf(bytes), open('org/base', 'read'))).toBe(false);
      await repository.putBlob(blobOf(bytes), bytes);
    }
    const mounts = emulator.requests.filter(({ query }) => query.includes('mount='));
    expect(new Set(mounts.map(({ query }) => query)).size).toBe(1);
    expect(repository.bytesSent).toBe(3);
  });

  it('Harbor, GitLab: a Location and a realm with http, behind a proxy that ends TLS', async () => {
    const registry = await start({ auth: TOKENS, tls: SERVER, location: 'plain' }, LOGGED_IN);
    await pushAndRead(registry, LARGE);
  });

  it('GHCR: what was taken is seen seconds later', async () => {
    const deps = testDeps();
    const lag = { milliseconds: 3000, now: deps.clock.now };
    const registry = await start({ lag }, { ...FETCH, clock: deps.clock });
    await pushAndRead(registry);
    expect(registry.emulator.requests.filter(({ method, status }) => method === 'PUT' && status === 404)).not.toEqual(
      [],
    );
    // Blobs are sent once.
    expect(
      new Set(registry.emulator.requests.map(({ query }) => query).filter((query) => query.includes('digest='))).size,
    ).toBe(
      registry.emulator.requests.filter(({ query, status }) => query.includes('digest=') && status === 201).length,
    );
  });

  it('GHCR: what is never seen ends in an error, and not after minutes', async () => {
    const deps = testDeps();
    const lag = { milliseconds: 3_600_000, now: deps.clock.now };
    const { open } = await start({ lag }, { ...FETCH, clock: deps.clock });
    const begin = deps.clock.now();
    expect(await errorOf(putIndex(open(), '1.0'))).toMatchObject({ message: expect.stringContaining('blob unknown') });
    expect(deps.clock.now() - begin).toBeLessThan(10_000);
  });
});

describe('limits', () => {
  it('GitHub’s secondary limit, in the words of an error of rights, is waited out', async () => {
    const deps = testDeps();
    const rate = { requests: 12, window: 60_000, now: deps.clock.now, isSecondary: true };
    const { emulator, open } = await start({ rate }, { ...FETCH, clock: deps.clock });
    const index = await putIndex(open(), '1.0');
    expect(emulator.store.manifest('org/app', '1.0')?.bytes.equals(index.bytes)).toBe(true);
    expect(emulator.requests.filter(({ status }) => status === 403)).not.toEqual([]);
  });

  it('Docker Hub: the last pulls are announced once', async () => {
    const { deps, open } = await start({ pulls: { limit: 100, remaining: 13 } });
    const repository = open();
    const index = await putIndex(repository, '1.0');
    for (let pull = 0; pull < 5; pull += 1) await repository.getManifest(index.digest);
    const told = deps.log.lines.filter((line) => line.includes('more pulls'));
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/127\.0\.0\.1:\d+ allows 10 more pulls of 100 in 6 h: log in/);
  });

  it('Docker Hub: pulls that are used up are an error at once, and no obstacle to a push', async () => {
    const { emulator, open } = await start({ pulls: { limit: 100, remaining: 0 } });
    expect(await errorOf(open().getManifest('1.0'))).toMatchObject({
      code: 'registry',
      message: expect.stringContaining('429: TOOMANYREQUESTS: You have reached your unauthenticated pull rate limit.'),
      hint: expect.stringContaining('Log in to docker.io'),
    });
    expect(emulator.requests).toHaveLength(1);
    await putIndex(open(), '1.0');
    expect(emulator.store.manifest('org/app', '1.0')).toBeDefined();
  });
});

describe('a refusal says what to do', () => {
  const push = async (options: EmulatorOptions) => errorOf(putIndex((await start(options, LOGGED_IN)).open(), '1.0'));

  it('Harbor: a quota is no matter of rights', async () => {
    expect(await push({ quota: 2000 })).toMatchObject({
      code: 'registry',
      message: expect.stringContaining('will exceed the configured upper limit'),
      hint: expect.stringContaining('Make room'),
    });
  });

  it('Quay, Docker Hub: a repository that does not exist looks like a missing login', async () => {
    const repositories = { exists: () => false, missing: 'challenge' } as const;
    expect(await push({ auth: TOKENS, repositories })).toMatchObject({
      code: 'credentials',
      hint: expect.stringContaining('does not exist'),
    });
  });

  it('Quay: an index of OCI’s kind with images of Docker’s', async () => {
    const { open } = await start({ wantsPureIndexes: true });
    const repository = open();
    const { manifest } = await putImage(repository, 'amd64');
    const docker = { ...manifest, mediaType: 'application/vnd.docker.distribution.manifest.v2+json' };
    expect(await errorOf(repository.tag('1.0', indexOf([{ manifest: docker, architecture: 'amd64' }])))).toMatchObject({
      message: expect.stringContaining('MANIFEST_INVALID: manifest invalid: failed to parse manifest'),
      hint: expect.stringContaining('one format'),
    });
  });

  it.each([
    ['GHCR, no link', 403, 'DENIED', 'permission_denied: write_package', /Manage Actions access/, 'credentials'],
    [
      'GHCR, no right',
      403,
      'DENIED',
      'installation not allowed to Create organization package',
      /packages: write/,
      'credentials',
    ],
    [
      'GHCR, a personal token',
      403,
      'DENIED',
      'permission_denied: The token provided does not match expected scopes.',
      /write:packages/,
      'credentials',
    ],
    [
      'GHCR, another owner',
      403,
      'DENIED',
      'permission_denied: The requested installation does not exist.',
      /owner alone/,
      'credentials',
    ],
    [
      'Google Artifact Registry',
      403,
      'DENIED',
      'Permission "artifactregistry.repositories.uploadArtifacts" denied on resource "projects/p" (or it may not exist)',
      /Artifact Registry Writer/,
      'credentials',
    ],
    ['Gitea', 401, 'UNAUTHORIZED', 'reqPackageAccess', /write:package/, 'credentials'],
    ['Azure, a lock', 405, 'REGISTRY_DISALLOWED_OPERATION', 'The operation is disallowed', /write-enabled/, 'registry'],
    ['Harbor, by policy', 412, 'PROJECTPOLICYVIOLATION', 'current image with 3 vulnerabilities', /policy/, 'registry'],
  ])('%s', async (_name, status, code, message, hint, kind) => {
    const { emulator, open } = await start();
    const body = JSON.stringify({ errors: [{ code, message }] });
    emulator.inject({ kind: 'status', method: 'POST', path: UPLOAD, status, body, times: 9 });
    const bytes = Buffer.from('x');
    expect(await errorOf(open().putBlob(blobOf(bytes), bytes))).toMatchObject({
      code: kind,
      message: expect.stringContaining(message),
      hint: expect.stringMatching(hint),
    });
  });

  it('Artifactory: a tag that may not be overwritten, of which the detail alone tells', async () => {
    const { emulator, open } = await start();
    const error = {
      code: 'MANIFEST_INVALID',
      message: 'manifest invalid',
      detail: { description: 'HTTP 403 Forbidden' },
    };
    const body = JSON.stringify({ errors: [error] });
    emulator.inject({ kind: 'status', method: 'PUT', path: /manifests\/1\.0/, status: 400, body, times: 9 });
    expect(await errorOf(putIndex(open(), '1.0'))).toMatchObject({
      message: expect.stringContaining('manifest invalid: HTTP 403 Forbidden'),
      hint: expect.stringContaining('overwrite'),
    });
  });

  it('GitLab, an artifact of a type that it does not know', async () => {
    const { emulator, open } = await start();
    const error = {
      ...{ code: 'MANIFEST_INVALID', message: 'manifest invalid' },
      detail: 'unknown media type: application/vnd.nix-images.disk.v1',
    };
    const body = JSON.stringify({ errors: [error] });
    emulator.inject({ kind: 'status', method: 'PUT', path: /manifests\/1\.0/, status: 400, body, times: 9 });
    expect(await errorOf(putIndex(open(), '1.0'))).toMatchObject({
      message: expect.stringContaining('unknown media type: application/vnd.nix-images.disk.v1'),
      hint: expect.stringContaining('as=container-disk'),
    });
  });

  it('a web page in place of a registry', async () => {
    const { emulator, open } = await start();
    const body = '<!DOCTYPE html><html><head><title>404 Not Found</title></head></html>';
    emulator.inject({ kind: 'status', method: 'POST', path: UPLOAD, status: 404, body, times: 9 });
    const bytes = Buffer.from('x');
    expect(await errorOf(open().putBlob(blobOf(bytes), bytes))).toMatchObject({
      hint: expect.stringContaining('root of a host'),
    });
  });
});

describe('logins as the products name them', () => {
  it.each([
    ['Quay', 'acme+ci', 'TOKEN'],
    ['Harbor', 'robot$acme+ci', 'to/ken'],
    ['Google, a key', '_json_key', '{"type":"service_account","private_key":"-----BEGIN\\n:\\n"}'],
    ['Google, a token', 'oauth2accesstoken', `ya29.${'a'.repeat(900)}`],
    ['Azure', '00000000-0000-0000-0000-000000000000', `eyJ0eXAi.${'a'.repeat(1800)}.b-_c`],
    ['GitLab', 'gitlab-ci-token', 'glcbt-64_ä'],
  ])('%s', async (_name, username, password) => {
    const credential: Credential = { kind: 'basic', username, password, origin: 'a test' };
    const auth = { scheme: 'token', users: { [username]: password } } as const;
    const { emulator, open } = await start({ auth }, { ...FETCH, keychain: { find: async () => credential } });
    await putIndex(open('group/sub/project/image'), '1.0');
    expect(emulator.store.manifest('group/sub/project/image', '1.0')).toBeDefined();
    const asked = emulator.requests.find(({ path }) => path === '/token');
    expect(new URLSearchParams(asked?.query).get('account')).toBe(username);
  });
});
