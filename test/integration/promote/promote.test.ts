import { expect, it, onTestFinished } from 'vitest';
import { descriptorOf } from '../../../src/oci/read-manifest.ts';
import { referrersTag } from '../../../src/storage/referrers.ts';
import { type EmulatorOptions, startEmulator } from '../../emulators/registry/emulator.ts';
import { putArtifact } from '../../support/artifacts.ts';
import { runCli } from '../../support/cli.ts';
import { startRegistry } from '../../support/registry.ts';
import { putAttested } from '../copy/kit.ts';
import { open } from '../storage/bench.ts';
import { done, putRelease, refused } from './kit.ts';

/** A registry with the referrers API, and a repository in it. */
const start = async (options: EmulatorOptions = { referrersPerPage: 9 }) => {
  const emulator = await startEmulator(options);
  onTestFinished(() => emulator.stop());
  const app = `${emulator.host}/org/app`;
  const meaning = (tag: string, repository: string = 'org/app') => {
    const bytes = emulator.store.manifest(repository, tag)?.bytes;
    return [...emulator.store.manifests(repository)].find(
      ([, one]) => one.bytes === bytes || bytes?.equals(one.bytes),
    )?.[0];
  };
  return { emulator, app, meaning, repository: open(app) };
};

/** `METHOD path` of what was written. */
const written = ({ trace }: Awaited<ReturnType<typeof startEmulator>>): string[] =>
  trace().filter((line) => /^(?:PUT|POST|PATCH)/.test(line));

it('promotes a tag to a channel of its repository: nothing of the image is sent, and the promotion is recorded before the tag moves', async () => {
  const { emulator, app, meaning, repository } = await start();
  await putRelease(repository, 1, 'stable');
  const second = await putRelease(repository, 2, 'edge');
  const before = emulator.requests.length;
  expect(await done('promote', `${app}:edge`, '--channel', 'stable')).toMatchObject({
    digest: second.digest,
    channels: [{ channel: 'stable', outcome: 'moved' }],
  });
  expect(meaning('stable')).toBe(second.digest);
  const puts = emulator.requests.slice(before).filter(({ method }) => method !== 'GET' && method !== 'HEAD');
  // The blob of the record (two bytes), the record, and the tag.
  expect(puts.map(({ method, path }) => `${method} ${path.replace(/sha256:.*|uploads\/.*/, '…')}`)).toEqual([
    'POST /v2/org/app/blobs/…',
    'PUT /v2/org/app/blobs/…',
    'PUT /v2/org/app/manifests/…',
    'PUT /v2/org/app/manifests/stable',
  ]);
  const again = emulator.requests.length;
  expect(await done('promote', `${app}:edge`, '--channel', 'stable')).toMatchObject({
    channels: [{ outcome: 'same' }],
  });
  expect(emulator.requests.slice(again).filter(({ method }) => method === 'PUT')).toEqual([]);
});

it('shows the history of a channel in 80 columns, with commits and what each came from', async () => {
  const { app, repository } = await start();
  await putRelease(repository, 1, 'stable');
  const images = [];
  for (const run of [2, 3]) {
    images.push(await putRelease(repository, run, 'edge'));
    await done('promote', `${app}:edge`, '--channel', 'stable');
  }
  const { stdout } = await runCli(['history', `${app}:stable`]);
  expect(stdout.split('\n').every((line) => line.length <= 80)).toBe(true);
  const [, heading, now, older, first] = stdout.split('\n');
  expect(heading).toMatch(/^ {2}digest +when +how +commit +run +from$/);
  expect(now).toMatch(
    new RegExp(`^\\* ${images[1]?.digest.slice(0, 19)} {2}20[\\d-]+ \\d\\d:\\d\\d {2}promote .* edge$`),
  );
  expect(older).toContain(`  ${images[0]?.digest.slice(0, 19)}  20`);
  expect(first).toMatch(/ {2}sha256:[0-9a-f]{12} {2}– +not recorded {2}0000000 {2}– +–$/);
  const { stdout: one } = await runCli(['history', `${app}:stable`, '--limit', '1']);
  expect(one.trimEnd().split('\n')).toHaveLength(4);
  expect(one).toContain('older ones: --limit');
});

it('rolls back one further each time, not forth and back, and is recorded', async () => {
  const { app, meaning, repository } = await start();
  const images = [await putRelease(repository, 1, 'stable')];
  for (const run of [2, 3, 4]) {
    images.push(await putRelease(repository, run, 'edge'));
    await done('promote', `${app}:edge`, '--channel', 'stable');
  }
  const went: (string | undefined)[] = [];
  for (let step = 0; step < 3; step += 1) {
    await done('rollback', `${app}:stable`);
    went.push(meaning('stable'));
  }
  expect(went).toEqual([images[2]?.digest, images[1]?.digest, images[0]?.digest]);
  expect(await refused('rollback', `${app}:stable`)).toMatch(/:stable has nothing to roll back to[\s\S]*--to DIGEST/);
  const { stdout } = await runCli(['history', `${app}:stable`]);
  expect(stdout.match(/ (?:rollback|promote) /g)?.map((word) => word.trim())).toEqual([
    ...['rollback', 'rollback', 'rollback', 'promote', 'promote', 'promote'],
  ]);
  // What is promoted after a rollback is followed by what the rollback led to.
  await done('promote', `${app}@${images[3]?.digest}`, '--channel', 'stable');
  await done('rollback', `${app}:stable`);
  expect(meaning('stable')).toBe(images[0]?.digest);
});

it('says why it cannot roll back in a registry that removes an image with its last tag; one with a tag of its own is there', async () => {
  const { app, meaning, repository } = await start({ referrersPerPage: 9, forgetsUntagged: true });
  const first = await putRelease(repository, 1, 'stable');
  const second = await putRelease(repository, 2, 'edge');
  await done('promote', `${app}:edge`, '--channel', 'stable');
  const said = await refused('rollback', `${app}:stable`);
  expect(said).toContain(`${app} does not have the image any more that stable meant before: ${first.digest}`);
  expect(said).toMatch(
    /No tag was moved\.[\s\S]*give each release a tag of its own[\s\S]*--to DIGEST[\s\S]*promote\.md#rollback/,
  );
  expect(meaning('stable')).toBe(second.digest);
  const third = await putRelease(repository, 3, '3.0.0');
  await done('promote', `${app}:3.0.0`, '--channel', 'stable');
  await done('rollback', `${app}:stable`);
  expect(meaning('stable')).toBe(second.digest);
  // What has a tag is there still.
  await done('rollback', `${app}:stable`, '--to', third.digest);
  expect(meaning('stable')).toBe(third.digest);
});

it('rolls back to a digest that is named; the next leads further back than that', async () => {
  const { app, meaning, repository } = await start();
  const images = [await putRelease(repository, 1, 'stable')];
  for (const run of [2, 3, 4]) {
    images.push(await putRelease(repository, run, 'edge'));
    await done('promote', `${app}:edge`, '--channel', 'stable');
  }
  await done('rollback', `${app}:stable`, '--to', `${images[1]?.digest}`);
  expect(meaning('stable')).toBe(images[1]?.digest);
  await done('rollback', `${app}:stable`);
  expect(meaning('stable')).toBe(images[0]?.digest);
  const { stderr } = await done('rollback', `${app}:stable`, '--to', `${images[3]?.digest}`);
  expect(stderr).toContain(`its history does not have ${images[3]?.digest}`);
  expect(meaning('stable')).toBe(images[3]?.digest);
});

it('promotes to other repositories: blobs are mounted in the registry, signatures and cosign’s tags go along, and tags move last', async () => {
  const { emulator, app, meaning, repository } = await start();
  const other = await start({});
  const { index, sbom, tags } = await putAttested(repository, 'edge');
  const before = emulator.requests.length;
  await done(
    ...['promote', `${app}:edge`, '--new-channel', '--to', `${emulator.host}/prod/app`, '--channel', 'stable'],
    ...['--to', `${other.emulator.host}/mirror/{name} tag=blessed`],
  );
  expect(meaning('stable', 'prod/app')).toBe(index.digest);
  expect(other.meaning('blessed', 'mirror/org/app')).toBe(index.digest);
  for (const [registry, repo] of [
    [emulator, 'prod/app'],
    [other.emulator, 'mirror/org/app'],
  ] as const) {
    expect(registry.store.manifest(repo, sbom.digest)).toBeDefined();
    for (const tag of Object.keys(tags)) expect(registry.store.manifest(repo, tag)).toBeDefined();
  }
  const read = emulator.requests
    .slice(before)
    .filter(({ method, path }) => method === 'GET' && path.includes('/blobs/'));
  // For the registry beside it each blob is read once, and the configs of two platforms for what they are.
  expect(new Set(read.map(({ path }) => path)).size).toBeGreaterThan(0);
  const mounts = emulator.requests.slice(before).filter(({ query }) => query.includes('mount='));
  expect(mounts.every(({ status }) => status === 201)).toBe(true);
  expect(mounts.length).toBeGreaterThan(4);
  expect(written(emulator).at(-1)).toBe('PUT /v2/prod/app/manifests/stable');
  expect(written(other.emulator).at(-1)).toBe('PUT /v2/mirror/org/app/manifests/blessed');
  // What was promoted there is no history of the repository that it came from.
  expect(await refused('rollback', `${app}:edge`)).toMatch(/nothing to roll back to[\s\S]*Nothing records/);
});

// Without a list of its own: the list is looked at again after a second or two.
it('keeps the history in a docker-registry, which has no list of referrers', async () => {
  const registry = await startRegistry();
  onTestFinished(() => registry.stop());
  const app = `${registry.host}/org/app`;
  const repository = open(app);
  const first = await putRelease(repository, 1, 'stable');
  const second = await putRelease(repository, 2, 'edge');
  await done('promote', `${app}:edge`, '--channel', 'stable');
  expect((await open(app).getManifest('stable'))?.digest).toBe(second.digest);
  await done('rollback', `${app}:stable`);
  expect((await open(app).getManifest('stable'))?.digest).toBe(first.digest);
  const { stdout } = await runCli(['history', `${app}:stable`]);
  expect(stdout.match(/ (?:rollback|promote|not recorded) /g)).toHaveLength(3);
});

it.each<[string, EmulatorOptions, readonly string[], RegExp]>([
  [
    'a channel that does not exist',
    {},
    ['--channel', 'stabel'],
    /the channel docker:\/\/.*\/org\/app:stabel does not exist[\s\S]*--new-channel/,
  ],
  [
    'a tag that may not change',
    { immutableTags: { status: 409, code: 'TAG_INVALID', message: 'tag is immutable' } },
    ['--channel', 'stable'],
    /does not let the tag stable change[\s\S]*No tag was moved/,
  ],
  [
    'a registry that takes no records',
    { refusesSubjects: { status: 400, code: 'MANIFEST_INVALID', message: 'unknown field subject' } },
    ['--channel', 'stable'],
    /cannot record the promotion to .*unknown field subject[\s\S]*No tag was moved.*--no-record/,
  ],
  [
    'an image that is too young',
    {},
    ['--channel', 'stable', '--min-age', '4000w'],
    /is \d+w old, since 2026-01-02T03:04:05Z; it must be 4000w/,
  ],
  [
    'an image without what must refer to it',
    {},
    ['--channel', 'stable', '--require-referrer', 'application/spdx+json'],
    /has no application\/spdx\+json for linux\/amd64, linux\/arm64/,
  ],
  ['no channel at all', {}, [], /no channel to promote to/],
  ['a channel that is no tag', {}, ['--channel', 'not a tag'], /is not a valid tag/],
])('%s is an error, and nothing moves', async (_name, options, args, says) => {
  const { app, meaning, repository } = await start({ referrersPerPage: 9, ...options });
  const first = await putRelease(repository, 1, 'stable');
  await putRelease(repository, 2, 'edge');
  expect(await refused('promote', `${app}:edge`, ...args)).toMatch(says);
  expect(meaning('stable')).toBe(first.digest);
});

it('an image that was never published, lost a layer, or would lose a platform, is an error', async () => {
  const { emulator, app, meaning, repository } = await start();
  const first = await putRelease(repository, 1, 'stable');
  expect(await refused('promote', `${app}@sha256:${'0'.repeat(64)}`, '-c', 'stable')).toMatch(
    /has no image sha256:0{64}/,
  );
  const small = await putRelease(repository, 2, 'edge', ['amd64']);
  expect(await refused('promote', `${app}:edge`, '-c', 'stable')).toMatch(
    /would lose linux\/arm64[\s\S]*--allow-missing/,
  );
  expect(await refused('promote', `${app}:edge`, '-c', 'stable', '--system', 'aarch64-linux')).toMatch(
    /has no image for linux\/arm64, only for linux\/amd64/,
  );
  const [, child = ''] = /"digest":"(sha256:[0-9a-f]{64})"/.exec(small.bytes.toString()) ?? [];
  const config = /"digest":"(sha256:[0-9a-f]{64})"/g;
  const layer =
    [...(emulator.store.manifest('org/app', child)?.bytes.toString().matchAll(config) ?? [])].at(-1)?.[1] ?? '';
  emulator.store.removeBlob('org/app', layer);
  expect(await refused('promote', `${app}:edge`, '-c', 'stable', '--allow-missing')).toMatch(
    new RegExp(`does not have the blob ${layer}`),
  );
  expect(meaning('stable')).toBe(first.digest);
});

it('an older image is not promoted over a newer one, unless that is meant', async () => {
  const { app, meaning, repository } = await start();
  const old = await putRelease(repository, 1, 'edge');
  const now = await putRelease(repository, 2, 'stable');
  expect(await refused('promote', `${app}:edge`, '-c', 'stable')).toMatch(
    /means an image of run 2, which is newer[\s\S]*rollback[\s\S]*--move-back/,
  );
  expect(meaning('stable')).toBe(now.digest);
  await done('promote', `${app}:edge`, '-c', 'stable', '--move-back');
  expect(meaning('stable')).toBe(old.digest);
});

it('where one of several destinations cannot take it, no tag moves at the others', async () => {
  const { app, meaning, repository } = await start();
  const full = await start({ quota: 10 });
  const first = await putRelease(repository, 1, 'stable');
  await putRelease(repository, 2, 'edge');
  expect(
    await refused('promote', `${app}:edge`, '--new-channel', '--to', app, '--to', full.app, '-c', 'stable'),
  ).toContain('quota');
  expect(meaning('stable')).toBe(first.digest);
  expect(full.meaning('stable')).toBeUndefined();
});

it('what must refer to the image may refer to it or to each platform; its age counts from its promotion', async () => {
  const { app, repository } = await start();
  await putRelease(repository, 1, 'stable');
  const image = await putRelease(repository, 2, 'next');
  await putArtifact(repository, 'sbom', { subject: descriptorOf(image), artifactType: 'application/spdx+json' });
  await done('promote', `${app}:next`, '-c', 'edge', '--new-channel', '--require-referrer', 'application/spdx+json');
  // It was made in January, and is in this channel since now.
  expect(await refused('promote', `${app}:edge`, '-c', 'stable', '--min-age', '1h')).toMatch(/is 0m old, since 20/);
  await done('promote', `${app}:edge`, '-c', 'stable', '--min-age', '0h');
});

it('without a record there is no history, and tags move all the same', async () => {
  const { emulator, app, meaning, repository } = await start({});
  await putRelease(repository, 1, 'stable');
  const second = await putRelease(repository, 2, 'edge');
  await done('promote', `${app}:edge`, '-c', 'stable', '--no-record');
  expect(meaning('stable')).toBe(second.digest);
  expect(emulator.store.manifest('org/app', referrersTag(second.digest))).toBeUndefined();
});

it('refuses what is no channel', async () => {
  const { app } = await start();
  expect(await refused('history', app)).toMatch(/names no channel/);
  expect(await refused('history', `${app}:stable`)).toMatch(/the channel .*:stable does not exist/);
  expect(await refused('rollback', `${app}:stable`)).toMatch(/the channel .*:stable does not exist/);
  expect(await refused('rollback', `${app}:stable`, '--to', 'v1')).toMatch(/"v1" is not a valid digest/);
});
