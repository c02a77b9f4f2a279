import { expect, test } from 'vitest';
import { prunedText } from '../../../src/prune/report.ts';
import { listUnderTag, openPulls, putImage, putIndex, putReferrer, REPOSITORY, removedBy, run, scene } from './kit.ts';

const METHODS = /^DELETE/;

const deletes = (trace: readonly string[]): number => trace.filter((line) => METHODS.test(line)).length;

test('removes an index with its images, what refers to them, and the list of that; nothing of what stays', async () => {
  const { to, deps, place, tags, has } = await scene();
  const old = await putIndex(to, 'old', { age: 40 });
  const now = await putIndex(to, 'new', { age: 1 });
  await to.tag('v1', old.index);
  await to.tag('v2', now.index);
  const [image] = old.images;
  if (!image) throw new Error('no image');
  const sbom = await putReferrer(to, image, 'sbom of old');
  await listUnderTag(to, image, [sbom]);
  const kept = await putReferrer(to, now.index, 'sbom of new');
  const list = await listUnderTag(to, now.index, [kept]);
  const pruned = await run(place, deps, { maxAge: '30d' });
  expect(removedBy(pruned)).toHaveLength(5);
  expect([old.index, ...old.images, sbom].some(has)).toBe(false);
  expect([now.index, ...now.images, kept, list].every(has)).toBe(true);
  expect(tags()).toEqual([`sha256-${now.index.digest.slice(7)}`, 'v2']);
  // What needs others goes before them.
  expect(removedBy(pruned)[0]).toBe(old.index.digest);
  expect((await run(place, deps, { maxAge: '30d' })).outcomes).toEqual([]);
});

test("finds what refers to an image in the registry's own list", async () => {
  const { to, deps, place, has } = await scene({ referrersPerPage: 1 });
  const old = await putImage(to, 'old', { age: 40 });
  await to.tag('v1', old);
  await to.tag('v2', await putImage(to, 'new', { age: 1 }));
  const attached = [await putReferrer(to, old, 'sbom'), await putReferrer(to, old, 'signature')];
  await run(place, deps, { maxAge: '30d' });
  expect([old, ...attached].some(has)).toBe(false);
});

test('an image that another index needs stays, with what they share', async () => {
  const { to, deps, place, has } = await scene();
  const shared = await putImage(to, 'shared', { age: 40 });
  const old = await putIndex(to, 'old', { age: 40 });
  await to.tag('v1', old.index);
  await to.tag('v1-amd64', shared);
  const { indexBytes } = await import('../../../src/oci/manifest.ts');
  const { digestOf } = await import('../../../src/oci/digest.ts');
  const { descriptorOf } = await import('../../../src/oci/read-manifest.ts');
  const bytes = indexBytes([...old.images, shared].map(descriptorOf), {
    'org.opencontainers.image.created': new Date().toISOString(),
  });
  const index = { bytes, mediaType: 'application/vnd.oci.image.index.v1+json', digest: digestOf(bytes) };
  await to.tag('v2', index);
  const pruned = await run(place, deps, { maxAge: '30d' });
  expect(removedBy(pruned)).toEqual([old.index.digest]);
  expect([...old.images, shared].every(has)).toBe(true);
  // Of the bytes, only those of the index itself go.
  expect(pruned.freed).toBe(old.index.bytes.length);
});

test.each([
  'tags',
  'digests',
  'whole',
] as const)('takes one tag from an image that stays, where a registry deletes %s', async (how) => {
  const { registry, to, deps, place, tags, has } = await scene({ deletes: how });
  const image = await putImage(to, 'app', { age: 1 });
  for (const tag of ['v1', 'pr-7', 'pr-7-0123abc', 'main']) await to.tag(tag, image);
  const pruned = await run(place, deps, { closedPreviews: true });
  expect(tags()).toEqual(['main', 'v1']);
  expect(has(image)).toBe(true);
  expect([...registry.store.manifests(REPOSITORY).keys()]).toEqual([image.digest]);
  expect(pruned.error).toBeUndefined();
  expect(prunedText(pruned)).toContain('removed 0 manifests and 2 tags');
});

test('previews: exactly those of the number, whatever shares their image', async () => {
  const { to, deps, place, tags } = await scene();
  const image = await putImage(to, 'same', { age: 1 });
  for (const tag of ['pr-2', 'pr-26', 'pr-26-0123abc', 'pr-2-0123abc']) await to.tag(tag, image);
  await to.tag('pr-3', await putImage(to, 'other', { age: 1 }));
  await run(place, deps, { closedPreviews: true }, { askPulls: openPulls(26) });
  expect(tags()).toEqual(['pr-26', 'pr-26-0123abc']);
});

test('a registry without delete is an error before anything is asked to go', async () => {
  const { registry, to, deps, place } = await scene({ deletes: 'off' });
  await to.tag('v1', await putImage(to, 'old', { age: 40 }));
  await to.tag('v2', await putImage(to, 'new', { age: 1 }));
  await expect(run(place, deps, { maxAge: '30d' })).rejects.toMatchObject({
    code: 'registry',
    message: `docker://${registry.host}/${REPOSITORY} does not let manifests be deleted`,
    hint: expect.stringContaining('REGISTRY_STORAGE_DELETE_ENABLED'),
  });
  expect(deletes(registry.trace())).toBe(1);
  // Looking is allowed.
  expect((await run(place, deps, { maxAge: '30d' }, { dryRun: true })).outcomes).toHaveLength(1);
});

test('a dry run deletes nothing and says the same as what is done then', async () => {
  const { registry, to, deps, place } = await scene();
  const old = await putIndex(to, 'old', { age: 40 });
  for (const tag of ['v1', 'v1.0']) await to.tag(tag, old.index);
  await to.tag('v2', (await putIndex(to, 'new', { age: 1 })).index);
  const dry = await run(place, deps, { maxAge: '30d' }, { dryRun: true });
  expect(deletes(registry.trace())).toBe(0);
  const done = await run(place, deps, { maxAge: '30d' });
  expect(done.freed).toBe(dry.freed);
  expect(removedBy(done)).toEqual(dry.outcomes.map(({ decision }) => decision.item.id));
  const lines = prunedText(dry).split('\n');
  expect(lines[1]).toMatch(/^ {2}would remove 3 manifests and 2 tags, [\d.]+ k?B; would keep 3 manifests$/);
  expect(lines[2]).toMatch(/^ {2}v1, v1\.0 {2}3 manifests {2}[\d.]+ k?B {2}max-age 30d: it is \d+w old$/);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
});

test.each([
  ['leaves no tagged image', { maxAge: '1d' }, {}, 'leaves no tagged image in'],
  ['takes more than the limit', { keepLast: '1' }, { limit: 2 }, 'removes 3 manifests and tags from'],
])('a policy that %s is refused, and nothing is asked to go', async (_name, policy, options, message) => {
  const { registry, to, deps, place, tags } = await scene();
  for (const age of [40, 30, 20, 10]) await to.tag(`v${age}`, await putImage(to, `${age}`, { age }));
  await expect(run(place, deps, policy, options)).rejects.toThrow(message);
  expect(deletes(registry.trace())).toBe(0);
  await run(place, deps, policy, { force: true });
  expect(tags()).toHaveLength('maxAge' in policy ? 0 : 1);
});

test('an image without all its parts is not the last good one', async () => {
  const { registry, to, deps, place } = await scene();
  const broken = await putIndex(to, 'broken', { age: 1 });
  await to.tag('main', broken.index);
  await to.tag('old', (await putIndex(to, 'whole', { age: 40 })).index);
  registry.store.deleteManifest(REPOSITORY, broken.images[0]?.digest ?? '');
  await expect(run(place, deps, { maxAge: '30d' })).rejects.toThrow('leaves no tagged image in');
});

test('reads all pages of tags', async () => {
  const { to, deps, place, tags } = await scene({ tagsPerPage: 3 });
  for (let age = 1; age <= 10; age += 1) await to.tag(`v${age}`, await putImage(to, `${age}`, { age }));
  await run(place, deps, { keepLast: '2' });
  expect(tags()).toEqual(['v1', 'v2']);
});

test('images that say no time stay, and untagged rules do not touch them', async () => {
  const { to, deps, place } = await scene();
  await to.tag('v1', await putImage(to, 'reproducible'));
  expect((await run(place, deps, { maxAge: '1d', untagged: 0 })).outcomes).toEqual([]);
});
