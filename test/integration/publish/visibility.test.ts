import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { packageVisibility, visibilityLines } from '../../../src/commands/visibility.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import type { AuthOptions } from '../../emulators/registry/auth.ts';
import { startEmulator } from '../../emulators/registry/emulator.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { uniqueTempDir } from '../../support/tools.ts';

const REPOSITORY = 'org/group/app';
const TARGET = { name: `docker://ghcr.io/${REPOSITORY}`, kind: 'registry', tags: ['v1'], bytesSent: 0 } as const;
const MANIFEST = Buffer.from('{"schemaVersion":2}');

interface World {
  readonly auth?: Partial<AuthOptions>;
  readonly owner?: object;
  readonly kind?: 'runner' | 'terminal';
  /** What is asked of ghcr.io never comes back. */
  readonly fetch?: typeof globalThis.fetch;
}

const start = async ({ auth = {}, owner, kind = 'runner', fetch: own }: World) => {
  const registry = await startEmulator({ auth: { scheme: 'token', users: { somebody: 'secret' }, ...auth } });
  onTestFinished(() => registry.stop());
  const folder = await uniqueTempDir('visibility');
  onTestFinished(() => folder.remove());
  const digest = digestOf(MANIFEST);
  registry.store.putManifest(REPOSITORY, digest, MANIFEST, 'application/vnd.oci.image.index.v1+json');
  const event = join(folder.path, 'event.json');
  await writeFile(event, JSON.stringify({ repository: { full_name: 'Org/app', owner } }));
  const unused = async () => {
    throw new Error('not to be called');
  };
  const host = {
    kind,
    env: (name: string) => (name === 'GITHUB_EVENT_PATH' ? event : undefined),
    cwd: folder.path,
    program: new URL('file:///nonexistent'),
    log: memoryLog(),
    exec: unused,
    // Names resolve to nothing here.
    fetch: own ?? ((input, init) => fetch(String(input).replace('https://ghcr.io', `http://${registry.host}`), init)),
    signal: new AbortController().signal,
    tempDir: unused,
    loadArtifactClient: unused,
  } satisfies Parameters<typeof packageVisibility>[1];
  const ask = (targets: Parameters<typeof packageVisibility>[0]['targets'] = [TARGET]) =>
    packageVisibility({ targets, digest, plainHttp: [] }, host);
  return { ask, registry };
};

test.each<[string, Partial<AuthOptions>, boolean, string[]]>([
  ['is public where somebody without a login may pull it', { anonymousPull: true }, true, ['GET 200', 'HEAD 200']],
  ['is not where the token server refuses', { refusesStrangers: 'token' }, false, ['GET 401']],
  ['is not where the token opens nothing', { refusesStrangers: 'manifest' }, false, ['GET 200', 'HEAD 403']],
])('a package at ghcr.io %s', async (_name, auth, isPublic, requests) => {
  const { ask, registry } = await start({ auth, owner: { login: 'Org', type: 'Organization' } });
  const found = await ask([TARGET, TARGET]);
  const settings = 'https://github.com/orgs/Org/packages/container/group%2Fapp/settings';
  expect(found).toEqual([{ name: `ghcr.io/${REPOSITORY}`, isPublic, settings }]);
  expect(registry.requests.map(({ method, status }) => `${method} ${status}`)).toEqual(requests);
  expect(visibilityLines(found)).toContain(`(${settings})`);
  expect(visibilityLines(found)).toContain(isPublic ? 'is public' : 'is not public');
});

test.each([
  [
    "a person's",
    { login: 'org', type: 'User' },
    'https://github.com/users/org/packages/container/group%2Fapp/settings',
  ],
  ["another owner's", { login: 'other', type: 'User' }, undefined],
  ['one of which nothing is known', undefined, undefined],
])('its page of settings is %s', async (_name, owner, settings) => {
  const { ask } = await start({ auth: { anonymousPull: true }, ...(owner ? { owner } : {}) });
  const [found] = await ask();
  expect(found?.settings).toBe(settings);
  if (found && settings === undefined) expect(visibilityLines([found])).not.toContain('](');
});

test('nothing is said, and nothing fails, where it cannot be found out', async () => {
  const broken = await start({ fetch: async () => Promise.reject(new TypeError('fetch failed')) });
  expect(await broken.ask()).toEqual([]);
  const { ask, registry } = await start({ auth: { anonymousPull: true } });
  registry.inject({ kind: 'status', status: 503, method: 'GET', path: /token/, times: 1 });
  expect(await ask()).toEqual([]);
  expect(registry.requests).toHaveLength(1);
});

test('other registries and terminals are not asked about', async () => {
  const { ask, registry } = await start({ auth: { anonymousPull: true }, kind: 'terminal' });
  expect(await ask()).toEqual([]);
  const other = await start({ auth: { anonymousPull: true } });
  const layout = { name: 'oci:/out', kind: 'oci', tags: ['v1'], bytesSent: 0 } as const;
  expect(await other.ask([{ ...TARGET, name: 'docker://quay.io/org/app' }, layout])).toEqual([]);
  expect([...registry.requests, ...other.registry.requests]).toEqual([]);
});
