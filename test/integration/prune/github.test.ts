import { expect, onTestFinished, test } from 'vitest';
import { repositoryArtifacts } from '../../../src/github/rest/artifact-list.ts';
import { restCaches } from '../../../src/github/rest/caches.ts';
import { repositoryReleases } from '../../../src/github/rest/releases.ts';
import { artifactsPlace, cachesPlace } from '../../../src/prune/github-places.ts';
import type { PrunePlace } from '../../../src/prune/place.ts';
import { assetsPlace, releasesPlace } from '../../../src/prune/releases-place.ts';
import { prunedMarkdown, prunedText } from '../../../src/prune/report.ts';
import { artifactRoutes, type EmulatedArtifact } from '../../emulators/github/artifacts.ts';
import { cacheRoutes } from '../../emulators/github/caches.ts';
import { type GitHubFault, startGitHub } from '../../emulators/github/emulator.ts';
import type { Permissions } from '../../emulators/github/permissions.ts';
import { pullRoutes } from '../../emulators/github/pulls.ts';
import { type EmulatedRelease, type ReleaseState, releaseRoutes } from '../../emulators/github/releases.ts';
import type { Route } from '../../emulators/github/route.ts';
import { BlobStore } from '../../emulators/results/blob-store.ts';
import { CacheState } from '../../emulators/results/cache-state.ts';
import { runCli } from '../../support/cli.ts';
import { testDeps } from '../storage/kit.ts';
import { DAY, openPulls, run } from './kit.ts';

const NOW = Date.now();
const ago = (days: number): number => NOW - days * DAY;

interface StartOptions {
  readonly permissions?: Permissions;
  readonly faults?: readonly GitHubFault[];
}

const start = async (routes: readonly Route[], { permissions, faults = [] }: StartOptions = {}) => {
  const github = await startGitHub({ permissions: permissions ?? ALL, routes, faults });
  onTestFinished(() => github.stop());
  const deps = testDeps();
  const { signal } = new AbortController();
  // Its seconds pass quickly.
  const api = { url: github.url, token: github.token, fetch, log: deps.log, signal, second: 1, repository: 'org/app' };
  return { github, deps, api };
};

const ALL: Permissions = { actions: 'write', contents: 'write', 'pull-requests': 'read' };

/** Caches of days, by key, and of a ref where it is not that of main. */
const caches = async (
  entries: readonly (readonly [key: string, days: number, ref?: string])[],
  options: StartOptions = {},
) => {
  let now = ago(100);
  // None is evicted for its age: that is the business of other tests.
  const state = new CacheState({ blobs: new BlobStore(), now: () => now, idleDays: 1000 });
  for (const [key, days, ref = 'refs/heads/main'] of entries.toSorted((a, b) => b[1] - a[1])) {
    now = ago(days);
    const entry = state.reserve(ref, key, 'v'.repeat(64));
    if (entry) state.finalize(entry, 1000);
  }
  now = NOW;
  const scene = await start(cacheRoutes(state, 'org/app'), options);
  const keys = () => state.all().map(({ key, ref }) => (ref === 'refs/heads/main' ? key : `${key} of ${ref}`));
  return { ...scene, state, keys, place: cachesPlace('github:caches (org/app)', restCaches(scene.api)) };
};

const PACK = `nix-images-v1-pack-${'0'.repeat(64)}-1-x-y-1`;

test('caches go by key and by the time of their last use, those of a closed pull request whatever their age; our own stay', async () => {
  const { place, deps, keys, github } = await caches([
    ['npm-a', 30],
    ['npm-b', 20],
    ['npm-c', 1],
    ['other', 40],
    [PACK, 50],
    ['npm-c', 1, 'refs/pull/7/merge'],
    [PACK, 1, 'refs/pull/7/merge'],
    ['npm-c', 30, 'refs/pull/8/merge'],
  ]);
  const policy = { keepLast: '1 of npm-*', maxAge: '45d of nix-*', closedPreviews: true };
  const pruned = await run(place, deps, policy, { askPulls: openPulls(8), dryRun: true });
  expect(prunedText(pruned)).toContain('would remove 4 caches, 4.0 kB; would keep 4 caches');
  expect(keys()).toHaveLength(8);
  const done = await run(place, deps, policy, { askPulls: openPulls(8) });
  expect(done.error).toBeUndefined();
  expect(keys().sort()).toEqual([PACK, 'npm-c', 'npm-c of refs/pull/8/merge', 'other'].sort());
  expect(prunedMarkdown(done)).toMatch(/\| cache +\| bytes +\| why +\|/);
  expect(prunedText(done)).toMatch(
    /removed 4 caches, 4.0 kB; kept 4 caches\n {2}npm-a +1.0 kB {2}keep-last 1 of npm-\*\n/,
  );
  // By id: no other ref loses an entry of that key.
  expect(
    github.requests.filter((line) => line.startsWith('DELETE')).every((line) => /caches\/\d+ 204/.test(line)),
  ).toBe(true);
});

test('a cache that was used since it was listed stays', async () => {
  const { place, state, deps, keys } = await caches([
    ['old', 30],
    ['new', 1],
  ]);
  const used: PrunePlace = {
    ...place,
    list: async () => {
      const listed = await place.list();
      for (const entry of state.all()) if (entry.key === 'old') entry.accessedAt = NOW;
      return listed;
    },
  };
  const pruned = await run(used, deps, { maxAge: '7d' });
  expect(pruned.outcomes).toMatchObject([{ kind: 'kept', why: 'it was used meanwhile' }]);
  expect(keys()).toEqual(['new', 'old']);
});

const artifacts = async (
  entries: readonly (readonly [name: string, days: number, more?: Partial<EmulatedArtifact>])[],
  options: StartOptions = {},
) => {
  const stored = new Map(
    entries.map(([name, days, more]): [number, EmulatedArtifact] => {
      const id = entries.findIndex((one) => one[0] === name) + 1;
      return [id, { id, name, bytes: 10_000, created: ago(days), run: 1, ...more }];
    }),
  );
  const scene = await start(
    artifactRoutes(
      stored,
      new Map([
        [1, 'completed'],
        [2, 'in_progress'],
      ]),
    ),
    options,
  );
  const names = () => [...stored.values()].map(({ name }) => name);
  return { ...scene, names, place: artifactsPlace('github:artifacts (org/app)', repositoryArtifacts(scene.api)) };
};

test('artifacts go by name and age, but those of a run that has not ended; what has expired is not counted', async () => {
  const { place, deps, names } = await artifacts([
    ['handover-app-x86_64-linux-1.tar', 9],
    ['handover-app-x86_64-linux-2.tar', 1],
    ['handover-tools-x86_64-linux-1.tar', 9, { run: 2 }],
    ['report', 9],
    ['handover-gone', 99, { expired: true }],
    ['handover-of-a-run-that-is-gone', 9, { run: 77 }],
  ]);
  const pruned = await run(place, deps, { maxAge: '7d of handover-*' });
  expect(pruned.error).toBeUndefined();
  expect(prunedText(pruned)).toContain('removed 2 artifacts, 20.0 kB; 1 could not be removed; kept 3 artifacts');
  expect(prunedText(pruned)).toContain('still there: run 2 has not ended');
  expect(names()).toEqual([
    'handover-app-x86_64-linux-2.tar',
    'handover-tools-x86_64-linux-1.tar',
    'report',
    'handover-gone',
  ]);
});

test('artifacts are listed to the last page, once, and an error that deleted all the same is one that is gone', async () => {
  const many = Array.from({ length: 230 }, (_, at) => [`report-${at}`, at < 215 ? 1 : 30] as const);
  const faults = [{ method: 'DELETE', path: /artifacts\/220$/, when: 'after', status: 500 }] as const;
  const { place, deps, names, github } = await artifacts(many, { faults });
  const pruned = await run(place, deps, { maxAge: '7d' });
  expect([pruned.error, names().length]).toEqual([undefined, 215]);
  expect(github.requests.filter((line) => /^GET .*\/artifacts\?/.test(line))).toHaveLength(3);
});

const release = (id: number, tag: string, days: number, more: Partial<EmulatedRelease> = {}): EmulatedRelease => ({
  ...{ id, tag, time: ago(days) },
  assets: new Map([
    [id * 10, { name: 'app.raw', size: 5_000_000 }],
    [id * 10 + 1, { name: 'sums', size: 100 }],
  ]),
  ...more,
});

const releases = async (all: readonly EmulatedRelease[], latest: number | undefined, options: StartOptions = {}) => {
  const state: ReleaseState = { releases: new Map(all.map((one) => [one.id, one])), latest };
  const scene = await start(releaseRoutes(state), options);
  const api = repositoryReleases(scene.api);
  const tags = () => [...state.releases.values()].map(({ tag }) => tag);
  return { ...scene, state, api, tags };
};

const RELEASES = [
  release(1, 'v1', 90),
  release(2, 'v2', 60, { immutable: true }),
  release(3, 'v3', 50),
  release(4, 'v4-rc', 40, { prerelease: true }),
  release(5, 'v5-rc', 1, { prerelease: true }),
  release(6, 'nightly', 40, { draft: true }),
  // Made yesterday, for a commit of last year.
  release(7, 'fresh', 1, { draft: true, committed: ago(365) }),
];

test.each<[string, 'draft' | 'prerelease' | 'release', number | undefined, boolean, string[]]>([
  ['drafts, by when they changed and not by their commit', 'draft', 3, false, ['nightly']],
  ['prereleases', 'prerelease', 3, false, ['v4-rc']],
  ['releases, but the latest and what is immutable', 'release', 3, false, ['v1']],
  ['all of them with force', 'release', 3, true, ['v1', 'v2', 'v3']],
])('of releases go %s', async (_, kind, latest, isForced, expected) => {
  const { api, deps, tags } = await releases(RELEASES, latest);
  const place = releasesPlace('github', api, { kind, isForced });
  const before = tags();
  const pruned = await run(place, deps, { maxAge: '30d' }, { force: isForced });
  expect(pruned.error).toBeUndefined();
  expect(before.filter((tag) => !tags().includes(tag))).toEqual(expected);
  expect(pruned.freed).toBe(expected.length * 5_000_100);
});

test('a release that becomes the latest, or a draft that is published, stays', async () => {
  const { api, deps, tags, state } = await releases(RELEASES, 3);
  const changing = (place: PrunePlace, change: () => void): PrunePlace => ({
    ...place,
    list: async () => {
      const listed = await place.list();
      change();
      return listed;
    },
  });
  const old = releasesPlace('github', api, { kind: 'release', isForced: false });
  const moved = changing(old, () => {
    state.latest = 1;
  });
  expect((await run(moved, deps, { maxAge: '30d' })).outcomes).toMatchObject([
    { kind: 'kept', why: 'GitHub shows it as the latest release' },
  ]);
  const drafts = releasesPlace('github', api, { kind: 'draft', isForced: false });
  const published = changing(drafts, () => state.releases.set(6, release(6, 'nightly', 0)));
  expect((await run(published, deps, { maxAge: '30d' })).outcomes).toMatchObject([
    { kind: 'kept', why: 'it is a release by now' },
  ]);
  expect(tags()).toHaveLength(7);
});

test('files of releases go by tag and name, the releases stay; those of an immutable one cannot', async () => {
  const { api, deps, tags, state } = await releases(RELEASES, 3);
  const pruned = await run(assetsPlace('github', api, { isForced: false }), deps, { maxAge: '30d of */*.raw' });
  expect(pruned.error).toBeUndefined();
  expect(tags()).toHaveLength(7);
  expect([...state.releases.values()].map(({ assets }) => assets.size)).toEqual([1, 2, 2, 1, 2, 2, 2]);
  expect(prunedText(pruned)).toMatch(/removed 2 assets, 10.0 MB; 1 could not be removed; kept 8 assets/);
  expect(prunedText(pruned)).toContain('still there: its release is immutable');
});

test('a policy that leaves nothing is refused, and so is one over the limit', async () => {
  const { place, deps, keys } = await caches([
    ['a', 30],
    ['b', 20],
    ['pull', 20, 'refs/pull/7/merge'],
  ]);
  await expect(run(place, deps, { maxAge: '7d' })).rejects.toThrow(
    'the policy leaves no cache in github:caches (org/app)',
  );
  await expect(run(place, deps, { maxAge: '7d' }, { force: true, limit: 2 })).rejects.toThrow(
    'the policy removes 3 caches from github:caches (org/app); the limit is 2',
  );
  expect(keys()).toHaveLength(3);
  // What was made for a pull request is nothing that people count on.
  expect((await run(place, deps, { closedPreviews: true })).error).toBeUndefined();
  expect((await run(place, deps, { maxAge: '7d' }, { force: true })).error).toBeUndefined();
  expect(keys()).toEqual([]);
});

test.each<[string, Permissions, string]>([
  ['caches', { actions: 'read' }, 'actions: write'],
  ['artifacts', { actions: 'read' }, 'actions: write'],
  ['releases', { contents: 'read' }, 'contents: write'],
  ['assets', { contents: 'read' }, 'contents: write'],
  ['caches', {}, 'actions: read'],
  ['artifacts', {}, 'actions: read'],
  ['releases', {}, 'contents: read'],
])('%s with the permissions %j: the line that is missing is said', async (what, permissions, line) => {
  const entries = [
    ['a', 30],
    ['b', 1],
  ] as const;
  const all = [release(1, 'v1', 90), release(2, 'v2', 1)];
  const place = async (): Promise<PrunePlace> => {
    if (what === 'caches') return (await caches(entries, { permissions })).place;
    if (what === 'artifacts') return (await artifacts(entries, { permissions })).place;
    const { api } = await releases(all, 2, { permissions });
    return what === 'assets'
      ? assetsPlace('github', api, { isForced: false })
      : releasesPlace('github', api, { kind: 'release', isForced: false });
  };
  const { error } = await run(await place(), testDeps(), { maxAge: '7d' }).catch((thrown: unknown) => ({
    error: thrown as { code: string; message: string; hint?: string },
  }));
  expect(error?.code).toBe('credentials');
  expect(`${error?.message} ${error?.hint}`).toContain(`permissions: ${line}`);
});

test('through the command: several places, one policy; a name that GitHub does not keep is an error', async () => {
  const stored = new Map([[1, { id: 1, name: 'report', bytes: 7, created: ago(30), run: 1 }]]);
  stored.set(2, { ...stored.get(1), id: 2, name: 'new', created: ago(1) } as EmulatedArtifact & { run: number });
  const state: ReleaseState = { releases: new Map(RELEASES.map((one) => [one.id, one])), latest: 3 };
  const routes = [...artifactRoutes(stored, new Map([[1, 'completed']])), ...releaseRoutes(state), ...pullRoutes([])];
  const { github } = await start(routes);
  const env = { GITHUB_API_URL: github.url, GITHUB_REPOSITORY: 'org/app', NIX_IMAGES_TOKEN: github.token };
  const args = ['github:artifacts', 'github:prereleases', '--max-age', '7d'];
  const { exitCode, stdout, stderr } = await runCli(['prune', ...args, '--json'], { env });
  expect([exitCode, stderr]).toEqual([0, expect.any(String)]);
  expect(JSON.parse(stdout).places).toMatchObject([
    { name: 'github:artifacts (org/app)', kind: 'artifact', removed: { items: 1, names: 0 }, bytesFreed: 7 },
    { name: 'github:prereleases (org/app)', kind: 'prerelease', removed: { items: 1, names: 0 } },
  ]);
  expect([[...stored.keys()], state.releases.has(4)]).toEqual([[2], false]);
  const wrong = await runCli(['prune', 'github:cache', '--max-age', '7d'], { env });
  expect(wrong.stderr).toContain('"github:cache" is not something that GitHub keeps');
  const nowhere = await runCli(['prune', 'github:caches', '--max-age', '7d'], {
    env: { ...env, GITHUB_REPOSITORY: undefined },
  });
  expect(nowhere.stderr).toContain('missing repository: github:caches is of one');
});
