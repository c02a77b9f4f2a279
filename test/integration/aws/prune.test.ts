import { expect, test } from 'vitest';
import { placesOf } from '../../../src/commands/places.ts';
import { openPrunePlace } from '../../../src/commands/prune-places.ts';
import { parseLocation } from '../../../src/storage/location.ts';
import { referrersTag } from '../../../src/storage/referrers.ts';
import { disturbed, putImage, putIndex, putReferrer, run } from '../prune/kit.ts';
import { testDeps } from '../storage/kit.ts';
import { type Aws, hostOf, startAws } from './kit.ts';

const PLACES = [
  ['private', `${hostOf('eu-central-1')}/team/app`, 'team/app', 'ecr'],
  ['public', `${hostOf('public')}/acme/app`, 'acme/app', 'ecr-public'],
] as const;

const open = async ({ host }: Aws, reference: string) => {
  const places = await placesOf(host, {
    ...{ registry: undefined, username: undefined, password: undefined, registryAuth: undefined, token: undefined },
    plainHttp: [],
  } as unknown as Parameters<typeof placesOf>[1]);
  return await openPrunePlace(parseLocation(reference), places, { token: undefined }, host);
};

test.each(
  PLACES,
)('%s: what has no tag is listed by AWS, and goes; tags go alone', async (mode, reference, path, service) => {
  // What is pushed counts as three days old.
  const scene = await startAws(
    mode,
    {},
    { more: { lag: { milliseconds: 0, now: () => Date.now() - 3 * 86_400_000 } } },
  );
  const opened = await scene.open(reference, { createRepository: true });
  await opened.prepare();
  const { repository: to } = opened;
  const kept = await putIndex(to, 'kept');
  for (const tag of ['v1', 'pr-7']) await to.tag(tag, kept.index);
  const sbom = await putReferrer(to, kept.index, 'sbom');
  const preview = await putIndex(to, 'preview');
  await to.tag('pr-8', preview.index);
  const lost = await putImage(to, 'lost its tag');
  const place = await open(scene, reference);
  const pruned = await run(place, testDeps(), { untagged: 1, closedPreviews: true });
  expect(pruned.error).toBeUndefined();
  const { store } = scene.registry;
  expect([...store.tags(path).keys()]).toEqual(['v1']);
  const left = [...store.manifests(path).keys()].sort();
  expect(left).toEqual([kept.index, ...kept.images, sbom].map(({ digest }) => digest).sort());
  expect(left).not.toContain(lost.digest);
  expect(scene.aws.violations).toEqual([]);
  expect(scene.aws.calls.some((call) => call.startsWith(`${service}:BatchDeleteImage`))).toBe(true);
  expect((await run(place, testDeps(), { untagged: 1, closedPreviews: true })).outcomes).toEqual([]);
});

test('an alias of somebody else is refused before anything is listed', async () => {
  const scene = await startAws('public');
  const place = await open(scene, `${hostOf('public')}/other/app`);
  await expect(run(place, testDeps(), { untagged: 0 })).rejects.toThrow('other is not an alias of this AWS account');
  expect(scene.aws.calls.some((call) => call.includes('DescribeImages'))).toBe(false);
});

test('a role that may not delete is told the statement to add', async () => {
  const scene = await startAws('private', { denied: { 'ecr:BatchDeleteImage': 'ecr:BatchDeleteImage' } });
  const reference = PLACES[0][1];
  const opened = await scene.open(reference, { createRepository: true });
  await opened.prepare();
  for (const tag of ['v1', 'pr-1']) await opened.repository.tag(tag, await putImage(opened.repository, tag));
  const { error } = await run(await open(scene, reference), testDeps(), { closedPreviews: true });
  expect(error).toMatchObject({ code: 'credentials', hint: expect.stringContaining('ecr:BatchDeleteImage') });
});

test('a run that takes long still takes the images of an index that it has removed', async () => {
  const scene = await startAws('private');
  const [, reference, path] = PLACES[0];
  const opened = await scene.open(reference, { createRepository: true });
  await opened.prepare();
  const { repository: to } = opened;
  await to.tag('pr-1', (await putIndex(to, 'preview')).index);
  const kept = await putImage(to, 'kept');
  await to.tag('v1', kept);
  const deps = testDeps();
  const place = disturbed(await open(scene, reference), 1, () => deps.clock.sleep(20_000));
  await run(place, deps, { closedPreviews: true });
  expect([...scene.registry.store.manifests(path).keys()]).toEqual([kept.digest]);
});

test('an image that is tagged again once it is gone gets back what cosign attached, under its tag', async () => {
  const scene = await startAws('private');
  const [, reference, path] = PLACES[0];
  const opened = await scene.open(reference, { createRepository: true });
  await opened.prepare();
  const { repository: to } = opened;
  const { index } = await putIndex(to, 'app');
  await to.tag('pr-1', index);
  const attached = `${referrersTag(index.digest)}.sig`;
  await to.tag(attached, await putImage(to, 'signature'));
  await to.tag('v1', await putImage(to, 'other'));
  const place = disturbed(await open(scene, reference), 1, () => to.tag('stable', index));
  await run(place, testDeps(), { closedPreviews: true });
  expect([...scene.registry.store.tags(path).keys()]).toEqual([attached, 'stable', 'v1']);
});

test('a tag that comes just before keeps an image; the last tag of one that is needed stays', async () => {
  const scene = await startAws('private');
  const [, reference, path] = PLACES[0];
  const opened = await scene.open(reference, { createRepository: true });
  await opened.prepare();
  const { repository: to } = opened;
  const { index, images } = await putIndex(to, 'app');
  const [image] = images;
  if (!image) throw new Error('no image');
  await to.tag('v1', index);
  await to.tag('pr-3', image);
  const preview = await putImage(to, 'preview');
  await to.tag('pr-1', preview);
  const place = disturbed(await open(scene, reference), 1, () => to.tag('v2', preview));
  const pruned = await run(place, testDeps(), { closedPreviews: true });
  expect([...scene.registry.store.tags(path).keys()]).toEqual(['pr-1', 'pr-3', 'v1', 'v2']);
  expect(pruned.outcomes.map(({ why }) => why)).toEqual([
    'AWS deletes an image with its last tag',
    'it has the new tag v2',
  ]);
});
