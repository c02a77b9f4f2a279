import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { prune } from '../../../src/commands/prune.ts';
import { mapParallel } from '../../../src/core/parallel.ts';
import type { Host } from '../../../src/host/host.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { parseLocation } from '../../../src/storage/location.ts';
import { openForRemoval, openRepository } from '../../../src/storage/open.ts';
import { startGitHub } from '../../emulators/github/emulator.ts';
import { packageRoutes } from '../../emulators/github/packages.ts';
import { pullRoutes } from '../../emulators/github/pulls.ts';
import { startEmulator } from '../../emulators/registry/emulator.ts';
import { cliData, runCli } from '../../support/cli.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { type RunningRegistry, startRegistry } from '../../support/registry.ts';
import { cranePath, runProgram, uniqueTempDir } from '../../support/tools.ts';
import { testDeps } from '../storage/kit.ts';
import { listUnderTag, policyOf, putImage, putIndex, putReferrer } from './kit.ts';

let registry: RunningRegistry;

beforeAll(async () => {
  registry = await startRegistry();
});

afterAll(() => registry.stop());

interface PrunedData {
  readonly places: readonly [
    {
      readonly removed: { readonly items: number; readonly names: number };
      readonly bytesFreed: number;
      readonly kept: readonly { readonly names: readonly { readonly name: string; readonly why: string }[] }[];
    },
  ];
}

const target = (name: string) => {
  const { repository } = openForRemoval(parseReference(`${registry.host}/${name}`), testDeps());
  return { place: `${registry.host}/${name}`, to: repository };
};

const crane = async (...args: readonly string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await runProgram(cranePath(), [...args, '--insecure']);
  expect([exitCode, stderr]).toEqual([0, expect.any(String)]);
  return stdout;
};

// 60 indexes of two images each, with what refers to them, take some 1,500 requests to a real registry.
test('a registry with 60 indexes, referrers and shared layers: all that is kept validates, and nothing else is left', async () => {
  const { place, to } = target('org/sixty');
  const ages = Array.from({ length: 60 }, (_, at) => at + 1);
  const indexes = await mapParallel(ages, 8, async (at) => {
    const { index, images } = await putIndex(to, `release ${at}`, { age: at, layers: ['base', `group ${at % 6}`] });
    await to.tag(`v${at}`, index);
    if (at % 10 === 0) await to.tag(`lts-${at}`, index);
    if (at % 4 === 0) {
      await listUnderTag(to, index, [await putReferrer(to, index, `sbom ${at}`)]);
      const [image] = images;
      if (image) await to.tag(`sha256-${image.digest.slice(7)}.sig`, await putImage(to, `signature ${at}`));
    }
    return index;
  });
  const data = await cliData<PrunedData>([
    'prune',
    place,
    '--keep-last',
    '20',
    '--keep-tags',
    'lts-*',
    '--untagged',
    '1d',
  ]);
  const [{ removed, bytesFreed, kept }] = data.places;
  // Kept: 20, and 4 more by their tag. Of 36 that go, 8 have a list, an SBOM and a signature.
  const withMore = [24, 28, 32, 36, 44, 48, 52, 56].length;
  expect(removed).toEqual({ items: 36 * 3 + withMore * 3, names: 36 + 4 });
  expect(bytesFreed).toBeGreaterThan(0);
  const tags = (await crane('ls', place)).trim().split('\n');
  const images = tags.filter((tag) => !tag.startsWith('sha256-'));
  expect(images).toHaveLength(20 + 2 + 4);
  expect(tags).toHaveLength(images.length + 2 * [4, 8, 12, 16, 20, 40, 60].length);
  expect(kept.flatMap((one) => one.names).length).toBe(tags.length);
  const stays = indexes.filter((_, at) => at < 20 || (at + 1) % 10 === 0);
  expect(stays).toHaveLength(24);
  await mapParallel(stays, 4, ({ digest }) => crane('validate', '--remote', `${place}@${digest}`));
  const attached = tags.filter((one) => one.startsWith('sha256-'));
  await mapParallel(attached, 4, (tag) => crane('manifest', `${place}:${tag}`));
  const again = await cliData<PrunedData>(['prune', place, '--keep-last', '20', '--keep-tags', 'lts-*']);
  expect(again.places[0].removed).toEqual({ items: 0, names: 0 });
}, 60_000);

test('a real registry that deletes no tags: they are taken from an image that stays', async () => {
  const { place, to } = target('org/tags');
  const image = await putImage(to, 'app', { age: 1 });
  for (const tag of ['v1', 'nightly-1', 'nightly-2']) await to.tag(tag, image);
  const { exitCode, stdout } = await runCli(['prune', place, '--keep-last', '0 of nightly-*', '--keep-tags', 'v*']);
  expect([exitCode, stdout]).toEqual([0, expect.stringContaining('removed 0 manifests and 2 tags')]);
  expect(stdout).toContain('nightly-1, nightly-2');
  expect((await crane('ls', place)).trim()).toBe('v1');
  await crane('validate', '--remote', `${place}:v1`);
});

test('a layout loses the blobs, too, and what is left validates', async () => {
  const folder = await uniqueTempDir('prune');
  onTestFinished(() => folder.remove());
  const path = join(folder.path, 'layout');
  const to = openRepository({ kind: 'oci', path }, testDeps());
  // What lies in a layout is as old as its file, so only the order of times that images say tells them apart here.
  for (const age of [1, 2, 3]) {
    const { index } = await putIndex(to, `image ${age}`, { age: -age, layers: ['shared'] });
    await to.tag(`v${age}`, index);
  }
  await to.commit();
  const blobs = async () => (await readdir(join(path, 'blobs/sha256'))).length;
  const before = await blobs();
  const { places } = await cliData<PrunedData>(['prune', `oci:${path}`, '--keep-last', '1']);
  expect(places[0].removed).toEqual({ items: 6, names: 2 });
  // Each has an index, two manifests, two configs and two layers of its own.
  expect(before - (await blobs())).toBe(2 * 7);
  const { exitCode } = await runCli(['copy', `oci:${path}:v3`, '--to', `${registry.host}/org/from-layout:v3`]);
  expect(exitCode).toBe(0);
  await crane('validate', '--remote', `${registry.host}/org/from-layout:v3`);
});

test.each([
  [['ghcr.io/org/app', '--keep-tags', 'v*'], 'the policy removes nothing', '--keep-last'],
  [['ghcr.io/org/app:v1', '--untagged', '7d'], 'names one image; a policy is for a whole repository', ''],
  [['oci-archive:a.tar', '--untagged', '7d'], 'is an archive: nothing can be removed from it', ''],
  [['ghcr.io/org/app', '--untagged', '7d'], 'missing token: packages at ghcr.io', 'NIX_IMAGES_TOKEN'],
  [['registry.test/app', '--closed-previews'], 'missing repository: closed-previews asks', '--repository'],
  [['registry.test/app', '--keep-last', 'ten'], '"ten" is not a valid number of images', '10'],
  [['registry.test/app', '--max-age', '90'], '"90" is not a valid age', ''],
  [['registry.test/app', '--keep-tags', '>=x'], '">=x" is not a valid range of versions', ''],
  [['registry.test/app', '--closed-previews', '--repository', 'app'], '"app" is not the name of a repository', ''],
])('%j is refused', async (args, message, hint) => {
  const env = { GITHUB_REPOSITORY: undefined, GITHUB_TOKEN: undefined, NIX_IMAGES_TOKEN: undefined };
  const { exitCode, stderr } = await runCli(['prune', ...args], { env });
  expect(exitCode).toBeGreaterThan(0);
  expect(stderr.replace(/\s+/g, ' ')).toContain(message);
  if (hint !== '') expect(stderr.replaceAll('keep-last', '--keep-last')).toContain(hint);
});

test('a registry that does not exist there is an error', async () => {
  const { exitCode, stderr } = await runCli(['prune', `${registry.host}/org/nothing`, '--keep-last', '1']);
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining('answered 404')]);
});

test('a package at ghcr.io through the command: previews of closed pull requests go, and the report says which', async () => {
  const ghcr = await startEmulator({ deletes: 'off' });
  onTestFinished(() => ghcr.stop());
  const { store } = ghcr;
  const pulls = pullRoutes([
    { number: 7, state: 'closed' },
    { number: 77, state: 'open' },
  ]);
  const routes = [...packageRoutes({ owner: 'org', type: 'Organization', name: 'app', store }), ...pulls];
  const github = await startGitHub({ permissions: { packages: 'write', 'pull-requests': 'read' }, routes });
  onTestFinished(() => github.stop());
  const open = await startEmulator();
  onTestFinished(() => open.stop());
  const { repository: to } = openForRemoval(parseReference(`${open.host}/org/app`), testDeps());
  for (const [tag, name] of [
    ['pr-7', 'closed'],
    ['pr-77', 'open'],
    ['pr-5', 'unknown'],
    ['v1', 'release'],
  ] as const) {
    await to.tag(tag, await putImage(to, name));
    const { bytes, mediaType } = open.store.manifest('org/app', tag) ?? {};
    if (bytes && mediaType) store.putManifest('org/app', tag, bytes, mediaType);
  }
  const env: Readonly<Record<string, string>> = {
    GITHUB_API_URL: github.url,
    GITHUB_REPOSITORY: 'org/app',
    GITHUB_ACTOR: 'octocat',
  };
  const unused = async () => {
    throw new Error('not to be called');
  };
  const folder = await uniqueTempDir('prune-ghcr');
  onTestFinished(() => folder.remove());
  const host: Host = {
    kind: 'terminal',
    env: (name) => env[name],
    cwd: folder.path,
    program: new URL('file:///nonexistent'),
    log: memoryLog(),
    exec: unused,
    // Names resolve to nothing here.
    fetch: (input, init) => fetch(String(input).replace('https://ghcr.io', `http://${ghcr.host}`), init),
    signal: new AbortController().signal,
    tempDir: async () => folder.path,
    loadArtifactClient: unused,
  };
  const pruned = await prune.run(
    {
      ...policyOf({ closedPreviews: true }),
      places: [parseLocation('ghcr.io/org/app')],
      ...{ repository: undefined, dryRun: false, limit: 10, force: false, token: github.token, plainHttp: [] },
      ...{ registry: undefined, username: undefined, password: undefined, registryAuth: undefined },
    } as unknown as Parameters<typeof prune.run>[0],
    host,
  );
  expect([...store.tags('org/app').keys()]).toEqual(['pr-5', 'pr-77', 'v1']);
  const shown = prune.present(pruned);
  expect(shown.text).toContain('pull request 7 is closed');
  expect(shown.summary).toContain('| <code>pr&#45;7</code> | 1 |');
  expect(shown.outputs).toMatchObject({ removed: '2' });
  expect(JSON.stringify(shown.data)).toContain('pull request 5 is unknown');
  expect(shown.failure).toBeUndefined();
});
