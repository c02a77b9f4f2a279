import { expect, onTestFinished, test } from 'vitest';
import { openPackages } from '../../../src/github/rest/packages.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { PackagePlace } from '../../../src/prune/package-place.ts';
import { prunedText } from '../../../src/prune/report.ts';
import { openForRemoval } from '../../../src/storage/open.ts';
import { referrersTag } from '../../../src/storage/referrers.ts';
import { type GitHubOptions, startGitHub } from '../../emulators/github/emulator.ts';
import { type PackageOptions, packageRoutes } from '../../emulators/github/packages.ts';
import { startEmulator } from '../../emulators/registry/emulator.ts';
import { testDeps } from '../storage/kit.ts';
import { DAY, disturbed, listUnderTag, openPulls, putImage, putIndex, putReferrer, run } from './kit.ts';

type SceneOptions = Partial<Omit<PackageOptions, 'store'>> & Partial<Omit<GitHubOptions, 'routes'>>;

/** How fast the emulator's clock goes where a limit of a minute is met. */
const MINUTES_A_SECOND = 1;

/**
 * A package at GitHub: its registry, which deletes nothing, and the interface that deletes versions. Tests of it take a second
 * for each change, since that is how GitHub wants them.
 */
const scene = async ({ owner = 'org', type = 'Organization', name = 'app', ...options }: SceneOptions = {}) => {
  const registry = await startEmulator({ deletes: 'off' });
  onTestFinished(() => registry.stop());
  const { store } = registry;
  const repository = `${owner}/${name}`;
  const routes = packageRoutes({ ...options, owner, type, name, store });
  const github = await startGitHub({ permissions: { packages: 'write' }, ...options, routes });
  onTestFinished(() => github.stop());
  const deps = testDeps();
  const reference = parseReference(`${registry.host}/${repository}`);
  const { repository: to } = openForRemoval(reference, testDeps());
  const signal = new AbortController().signal;
  // Its seconds pass quickly.
  const api = { url: github.url, token: github.token, fetch, log: deps.log, signal, second: 1 };
  const place = new PackagePlace({
    repository: openForRemoval(reference, deps).repository,
    packages: openPackages({ ...api, owner, name }),
    log: deps.log,
    run: 'a run',
  });
  const tags = () => [...store.tags(repository).keys()];
  const count = () => store.manifests(repository).size;
  const asked = (method: string) => github.requests.filter((line) => line.startsWith(method));
  return { registry, github, to, deps, place, tags, count, asked };
};

test('a version goes with all its tags, and only where each of them goes; others have theirs moved off first', async () => {
  const { to, deps, place, tags, count, asked } = await scene();
  const same = await putIndex(to, 'same');
  for (const tag of ['v1', 'main', 'pr-7', 'pr-7-0123abc']) await to.tag(tag, same.index);
  const preview = await putIndex(to, 'preview');
  for (const tag of ['pr-8', 'pr-8-0123abc']) await to.tag(tag, preview.index);
  const pruned = await run(place, deps, { closedPreviews: true });
  expect(tags()).toEqual(['main', 'v1']);
  expect(count()).toBe(3);
  // The preview and its two images, and what the other tags were moved to.
  expect(asked('DELETE')).toHaveLength(4);
  expect(pruned.error).toBeUndefined();
  expect(prunedText(pruned)).toMatch(/removed 3 manifests and 4 tags, .*; kept 3 manifests/);
  expect((await run(place, deps, { closedPreviews: true })).outcomes).toEqual([]);
});

test('finds what has no tag, from all pages, and takes no image or signature of what has one', async () => {
  const added = new Map<string, number>();
  const { to, deps, place, asked } = await scene({ added: (digest) => Date.now() - (added.get(digest) ?? 3) * DAY });
  const kept = await putIndex(to, 'kept');
  await to.tag('v1', kept.index);
  const [image] = kept.images;
  if (!image) throw new Error('no image');
  await listUnderTag(to, image, [await putReferrer(to, image, 'sbom')]);
  for (let at = 0; at < 110; at += 1) await putImage(to, `orphan ${at}`);
  const fresh = await putImage(to, 'of a build that is not published yet');
  added.set(fresh.digest, 0.1);
  // GitHub takes one change a second, and what a dry run finds is what would go.
  const pruned = await run(place, deps, { untagged: 1 }, { dryRun: true });
  expect(pruned.outcomes).toHaveLength(110);
  expect(pruned.decisions).toHaveLength(110 + 6);
  expect(pruned.outcomes.some(({ decision }) => decision.item.id === fresh.digest)).toBe(false);
  expect(asked('GET').filter((line) => line.includes('per_page'))).toHaveLength(2);
  expect(asked('DELETE')).toEqual([]);
});

test.each([
  ['an organization', { type: 'Organization' }, '/orgs/Org/packages/container/group%2Fapp/versions'],
  ['a person', { type: 'User' }, '/users/Org/packages/container/group%2Fapp/versions'],
] as const)('a package of %s with a slash in its name', async (_name, options, path) => {
  const { to, deps, place, github } = await scene({ ...options, owner: 'org', name: 'group/app' });
  await to.tag('pr-1', await putImage(to, 'app'));
  await to.tag('v1', await putImage(to, 'other'));
  await run(place, deps, { closedPreviews: true });
  expect(github.requests.some((line) => line.startsWith(`DELETE ${path.replace('Org', 'org')}/1`))).toBe(true);
});

test('what GitHub keeps is a row of the report, and what hangs on it stays', async () => {
  const downloads: Record<string, number> = {};
  const { to, deps, place, tags, count } = await scene({ downloads });
  const popular = await putIndex(to, 'popular');
  await to.tag('pr-1', popular.index);
  downloads[popular.index.digest] = 5001;
  await to.tag('v1', await putImage(to, 'other'));
  const pruned = await run(place, deps, { closedPreviews: true });
  expect(tags()).toEqual(['pr-1', 'v1']);
  expect(count()).toBe(4);
  expect(pruned.outcomes.map(({ kind, why }) => [kind, why])).toEqual([
    ['kept', 'GitHub keeps it: more than 5,000 downloads'],
    ['kept', 'something that stays needs it'],
    ['kept', 'something that stays needs it'],
  ]);
  expect(pruned.error).toBeUndefined();
});

test('the last version of a package stays', async () => {
  const { to, deps, place, count } = await scene();
  await to.tag('pr-1', await putImage(to, 'app'));
  const pruned = await run(place, deps, { closedPreviews: true });
  expect(count()).toBe(1);
  expect(prunedText(pruned)).toContain('  pr-1      still there: GitHub keeps it: the last version');
  expect(prunedText(pruned)).toContain('1 could not be removed; kept 1 manifest');
});

test('an error of the service that deleted all the same is a version that is gone', async () => {
  const fault = { method: 'DELETE', path: /versions/, when: 'after', status: 500 } as const;
  const { to, deps, place, tags } = await scene({ faults: [fault] });
  await to.tag('pr-1', await putImage(to, 'app'));
  await to.tag('v1', await putImage(to, 'other'));
  const pruned = await run(place, deps, { closedPreviews: true });
  expect(pruned.outcomes.map(({ kind }) => kind)).toEqual(['gone']);
  expect(tags()).toEqual(['v1']);
});

test.each([
  ['may not see the package', { access: 'none' as const }, true],
  ['may see it and not delete', { access: 'read' as const }, false],
  ['has no permission', { permissions: {} }, true],
  ['may only read packages', { permissions: { packages: 'read' as const } }, false],
])('a token that %s: the error names what to give', async (_name, options, isAtOnce) => {
  const { to, deps, place, count } = await scene(options);
  await to.tag('pr-1', await putImage(to, 'app'));
  await to.tag('v1', await putImage(to, 'other'));
  const running = run(place, deps, { closedPreviews: true });
  const error = isAtOnce ? await running.catch((thrown) => thrown) : (await running).error;
  expect(error).toMatchObject({ code: 'credentials', hint: expect.stringContaining('permissions: packages: write') });
  expect(error.hint).toContain('Manage Actions access');
  expect(count()).toBe(2);
});

test('a tag that comes to a version just before it goes keeps it', async () => {
  const { to, deps, place, tags } = await scene();
  const image = await putImage(to, 'app');
  await to.tag('pr-1', image);
  await to.tag('v1', await putImage(to, 'other'));
  let looks = 0;
  const askPulls = async (numbers: readonly number[]) => {
    looks += 1;
    const states = await openPulls()(numbers);
    // After the last list of versions.
    if (looks === 2) await to.tag('v2', image);
    return states;
  };
  const pruned = await run(place, deps, { closedPreviews: true }, { askPulls });
  expect(pruned.outcomes.map(({ kind, why }) => [kind, why])).toEqual([['kept', 'it has the new tag v2']]);
  expect(tags()).toEqual(['pr-1', 'v1', 'v2']);
});

test('an image that is tagged again once it is gone gets back what cosign attached, under its tag', async () => {
  const { to, deps, place, tags } = await scene();
  const { index } = await putIndex(to, 'app');
  await to.tag('pr-1', index);
  const attached = `${referrersTag(index.digest)}.sig`;
  await to.tag(attached, await putImage(to, 'signature'));
  await to.tag('v1', await putImage(to, 'other'));
  // The index has gone, and nothing that it needs yet.
  const again = disturbed(place, 1, () => to.tag('stable', index));
  await run(again, deps, { closedPreviews: true });
  expect(tags()).toEqual([attached, 'stable', 'v1']);
});

test('a limit of GitHub in the middle is waited for', async () => {
  const { to, deps, place, tags } = await scene({
    limits: { pointsAMinute: 12, retryAfter: 1 },
    now: () => Date.now() * MINUTES_A_SECOND * 60,
  });
  for (let at = 1; at <= 3; at += 1) await to.tag(`pr-${at}`, await putImage(to, `app ${at}`));
  await to.tag('v1', await putImage(to, 'other'));
  const pruned = await run(place, deps, { closedPreviews: true });
  expect([pruned.error?.message ?? '', tags().includes('v1')]).toEqual(['', true]);
});
