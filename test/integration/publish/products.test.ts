import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type EmulatorOptions, startEmulator } from '../../emulators/registry/emulator.ts';
import { sha256 } from '../../support/bytes.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { expectClear, movedTags, type PublishJob, publish, tryPublish } from './kit.ts';

let temp: TempDir;

beforeAll(async () => {
  temp = await uniqueTempDir('products');
});

afterAll(() => temp?.remove());

const AUTH = { scheme: 'token', users: { 'robot$lab+ci': 'secret' } } as const;

/** A registry, and a job that publishes to it with a login. */
const prepare = async (options: EmulatorOptions) => {
  const registry = await startEmulator(options);
  onTestFinished(() => registry.stop());
  const auth = Buffer.from('robot$lab+ci:secret').toString('base64');
  const job: PublishJob = {
    image: 'chain',
    to: [`${registry.host}/lab/app:v1`],
    state: join(temp.path, crypto.randomUUID()),
    env: { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [registry.host]: { auth } } }) },
  };
  return { registry, job };
};

// Three publishes each, for the second and the third ask in other ways than the first.
test.each<[string, EmulatorOptions]>([
  ['Artifactory, bytes in a PATCH alone', { needsPatch: true, refusesMounts: 404 }],
  ['Artifactory, 403 for what does not exist', { deniesMissing: true }],
  ['GitLab, tokens for the last scope', { auth: { ...AUTH, grantsLastScope: true } }],
  ['HEAD is refused', { auth: AUTH, refusesBlobHead: true }],
  ['Quay, indexes of one kind', { wantsPureIndexes: true }],
  ['Docker Hub, few pulls left', { pulls: { limit: 100, remaining: 9 } }],
])('a publish, a second one and a changed one end right: %s', async (_name, options) => {
  const { registry, job } = await prepare(options);
  const first = await publish(job);
  expect((await publish(job)).digest).toBe(first.digest);
  const changed = await publish({ ...job, settings: { rev: 'next' } });
  expect(changed.digest).not.toBe(first.digest);
  expect(sha256(registry.store.manifest('lab/app', 'v1')?.bytes ?? Buffer.alloc(0))).toBe(changed.digest);
});

test('Harbor: what a policy hides is replaced', async () => {
  const policy = { hidesByPolicy: false };
  const { registry, job } = await prepare(policy);
  const first = await publish(job);
  policy.hidesByPolicy = true;
  const changed = await publish({ ...job, settings: { rev: 'next' } });
  expect(changed.digest).not.toBe(first.digest);
  expect(sha256(registry.store.manifest('lab/app', 'v1')?.bytes ?? Buffer.alloc(0))).toBe(changed.digest);
});

test.each<[string, EmulatorOptions, readonly (string | RegExp)[]]>([
  ['Harbor, a quota', { quota: 5000 }, ['exceed the configured upper limit', 'Make room']],
  [
    'Quay, a repository that does not exist',
    { auth: AUTH, repositories: { exists: () => false, missing: 'challenge' } },
    ['answered 401', /user robot\$lab\+ci/, 'does not exist'],
  ],
])('a publish that cannot end well says why, and moves no tag: %s', async (_name, options, says) => {
  const { registry, job } = await prepare(options);
  expectClear(await tryPublish(job), ...says);
  expect(movedTags(registry)).toEqual([]);
});
