import { expect, test } from 'vitest';
import { digestOf } from '../../../src/oci/digest.ts';
import { indexBytes } from '../../../src/oci/manifest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { descriptorOf, type StoredManifest } from '../../../src/oci/read-manifest.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import type { AskPulls } from '../../../src/prune/prune.ts';
import { RegistryPlace } from '../../../src/prune/registry-place.ts';
import { openForRemoval } from '../../../src/storage/open.ts';
import { chancesOf } from '../../support/chances.ts';
import { IdleClock } from '../../support/idle-clock.ts';
import { testDeps } from '../storage/kit.ts';
import { disturbed, openPulls, putImage, putIndex, putReferrer, REPOSITORY, removedBy, run, scene } from './kit.ts';

const indexOf = (images: readonly StoredManifest[]): StoredManifest => {
  const bytes = indexBytes(images.map(descriptorOf), {});
  return { bytes, mediaType: MEDIA_TYPE.index, digest: digestOf(bytes) };
};

test('a new tag on an image that is about to go keeps it and its parts', async () => {
  const { registry, to, deps, place, has, tags } = await scene();
  const old = await putIndex(to, 'old', { age: 40 });
  await to.tag('v1', old.index);
  await to.tag('v2', await putImage(to, 'new', { age: 1 }));
  const pruned = await run(
    disturbed(place, 0, () => to.tag('stable', old.index)),
    deps,
    { maxAge: '30d' },
  );
  expect([old.index, ...old.images].every(has)).toBe(true);
  expect(tags()).toContain('stable');
  expect(registry.trace()).not.toContain(`DELETE /v2/org/app/manifests/${old.index.digest}`);
  expect(removedBy(pruned)).toEqual([]);
});

test('a tag that is moved to an image while that goes is put back to what it meant before', async () => {
  const { registry, to, deps, place, tags } = await scene();
  const old = await putIndex(to, 'old', { age: 40 });
  await to.tag('v1', old.index);
  const now = await putImage(to, 'new', { age: 1 });
  await to.tag('stable', now);
  await to.tag('v2', now);
  // `stable` is known and means something else: only what is missing afterwards shows it.
  const { store } = registry;
  const remove = store.deleteManifest.bind(store);
  store.deleteManifest = (repository, digest) => {
    if (digest === old.index.digest)
      store.putManifest(repository, 'stable', Buffer.from(old.index.bytes), MEDIA_TYPE.index);
    return remove(repository, digest);
  };
  const pruned = await run(place, deps, { maxAge: '30d' });
  // Another run may have removed it as well: never is it given a meaning that it may not have had.
  expect(tags()).toEqual(['stable', 'v2']);
  expect(registry.store.tags('org/app').get('stable')).toBe(now.digest);
  expect(removedBy(pruned)).toContain(old.index.digest);
});

test('a channel that has moved to an image since it was listed keeps it and its parts', async () => {
  const { to, deps, place, has, registry } = await scene();
  const old = await putIndex(to, 'old', { age: 40 });
  await to.tag('v1', old.index);
  const now = await putImage(to, 'new', { age: 1 });
  for (const tag of ['stable', 'v2']) await to.tag(tag, now);
  const pruned = await run(
    disturbed(place, 0, () => to.tag('stable', old.index)),
    deps,
    { maxAge: '30d' },
  );
  expect([old.index, ...old.images].every(has)).toBe(true);
  expect(registry.store.tags('org/app').get('stable')).toBe(old.index.digest);
  expect(pruned.outcomes[0]?.why).toBe('the tag stable needs it by now');
});

test('an image that is tagged again once it is gone gets its signature back', async () => {
  const { to, deps, place, has } = await scene({ referrersPerPage: 9 });
  const old = await putIndex(to, 'old', { age: 40 });
  await to.tag('v1', old.index);
  const signature = await putReferrer(to, old.index, 'signature');
  await to.tag('v2', await putImage(to, 'new', { age: 1 }));
  await run(
    disturbed(place, 1, () => to.tag('stable', old.index)),
    deps,
    { maxAge: '30d' },
  );
  expect([old.index, ...old.images, signature].every(has)).toBe(true);
});

test('a tag that another run removes with its image meanwhile is not given to another', async () => {
  const { registry, to, deps, place, tags } = await scene();
  const old = await putIndex(to, 'old', { age: 40 });
  await to.tag('v1', old.index);
  const other = await putImage(to, 'other', { age: 2 });
  await to.tag('v2', other);
  await to.tag('v3', await putImage(to, 'new', { age: 1 }));
  const { store } = registry;
  const remove = store.deleteManifest.bind(store);
  store.deleteManifest = (repository, digest) => {
    if (digest === old.index.digest) remove(repository, other.digest);
    return remove(repository, digest);
  };
  await run(place, deps, { maxAge: '30d' });
  expect(tags()).toEqual(['v3']);
});

test('an image that a new index needs by the time that it is gone is put back', async () => {
  const { to, deps, place, has } = await scene({ takesAnyManifest: true });
  const old = await putIndex(to, 'old', { age: 40 });
  await to.tag('v1', old.index);
  await to.tag('main', await putImage(to, 'new', { age: 1 }));
  const fresh = indexOf(old.images);
  // `main` is known: that it moves is not seen by its name. Both images are gone or go.
  const pruned = await run(
    disturbed(place, 2, () => to.tag('main', fresh)),
    deps,
    { maxAge: '30d' },
  );
  expect([fresh, ...old.images].every(has)).toBe(true);
  expect(has(old.index)).toBe(false);
  expect(removedBy(pruned)).toEqual([old.index.digest]);
});

test('a long run looks again, and leaves what is in use by then', async () => {
  const { to, deps, place, tags } = await scene();
  for (const number of [1, 2, 3])
    await to.tag(`pr-${number}`, await putImage(to, `preview ${number}`, { age: number }));
  await to.tag('v1', await putImage(to, 'new', { age: 1 }));
  let open: number[] = [];
  const askPulls = (numbers: readonly number[]) => openPulls(...open)(numbers);
  const reopened = async () => {
    open = [1];
    await deps.clock.sleep(20_000);
  };
  const pruned = await run(disturbed(place, 1, reopened), deps, { closedPreviews: true }, { askPulls });
  // The second removal had begun; the third finds its pull request open again.
  expect(tags()).toEqual(['pr-1', 'v1']);
  expect(pruned.outcomes.at(-1)?.why).toBe('it is in use by now');
});

test('two runs at once end right', async () => {
  const { to, deps, place, tags, has } = await scene();
  for (let at = 1; at <= 4; at += 1) {
    const { index } = await putIndex(to, `image ${at}`, { age: at * 10 });
    await to.tag(`v${at}`, index);
  }
  const shared = await putImage(to, 'shared', { age: 1 });
  for (const tag of ['main', 'pr-1']) await to.tag(tag, shared);
  const policy = { maxAge: '15d', closedPreviews: true };
  const both = await Promise.all([run(place, deps, policy), run(place, deps, policy)]);
  expect(tags()).toEqual(['main', 'v1']);
  expect(has(shared)).toBe(true);
  expect(both.map(({ error }) => error)).toEqual([undefined, undefined]);
});

/** Clean-ups of one repository at once, each with places of its own, on a clock that goes on when all wait. */
const cleanUps = async (seed: number, deletes: 'whole' | 'tags' | 'digests'): Promise<string[]> => {
  const random = chancesOf(seed);
  const clock = new IdleClock(random);
  const { registry, to, tags, has } = await scene({ deletes });
  const { index, images } = await putIndex(to, 'shared', { age: 1 });
  for (const tag of ['main', 'v1', 'pr-1', 'pr-1-0123abc', 'pr-2']) await to.tag(tag, index);
  const own = await putIndex(to, 'of a pull request', { age: 1 });
  for (const tag of ['pr-1-4567def', 'pr-2-4567def']) await to.tag(tag, own.index);
  const way = () => clock.sleep(Math.floor(random() * 120));
  const clean = async (...closed: readonly number[]): Promise<unknown> => {
    const deps = testDeps({
      clock,
      fetch: async (...args) => {
        await way();
        const answer = await clock.track(fetch(...args));
        await way();
        return answer;
      },
    });
    const opened = openForRemoval(parseReference(`${registry.host}/${REPOSITORY}`), deps);
    const place = new RegistryPlace({ ...opened, log: deps.log, run: `clean-up ${closed.join(' ')}` });
    await clock.sleep(Math.floor(random() * 1500));
    const askPulls: AskPulls = async (numbers) =>
      new Map(numbers.map((number) => [number, closed.includes(number) ? 'closed' : 'open'] as const));
    const { error } = await run(place, deps, { closedPreviews: true }, { askPulls });
    return error;
  };
  const errors = await Promise.all([clean(1), clean(2), clean(1, 2)]);
  return [
    ...errors.filter((error) => error !== undefined).map(String),
    ...tags().filter((tag) => !['main', 'v1'].includes(tag)),
    ...['main', 'v1']
      .filter((tag) => registry.store.tags(REPOSITORY).get(tag) !== index.digest)
      .map((tag) => `no ${tag}`),
    ...[index, ...images].filter((one) => !has(one)).map(({ digest }) => `no ${digest}`),
    ...[own.index, ...own.images].filter(has).map(({ digest }) => `still ${digest}`),
  ];
};

// Each interleaving is some hundred requests over a socket.
test.each([
  'whole',
  'tags',
  'digests',
] as const)('three clean-ups at once end right where a registry deletes %s: exactly the tags of the closed go', async (deletes) => {
  const wrong: string[] = [];
  for (let seed = 1; seed <= (deletes === 'whole' ? 8 : 2); seed += 1)
    wrong.push(...(await cleanUps(seed, deletes)).map((one) => `seed ${seed}: ${one}`));
  expect(wrong).toEqual([]);
});

test('where an index cannot be removed its images stay, and the run fails', async () => {
  const { registry, to, deps, place, has } = await scene();
  const old = await putIndex(to, 'old', { age: 40 });
  await to.tag('v1', old.index);
  const other = await putIndex(to, 'other', { age: 39 });
  await to.tag('v2', other.index);
  await to.tag('v3', await putImage(to, 'new', { age: 1 }));
  const refused = { kind: 'status', status: 409, method: 'DELETE', path: new RegExp(old.index.digest) } as const;
  registry.inject(refused);
  const pruned = await run(place, deps, { maxAge: '30d' });
  expect([old.index, ...old.images].every(has)).toBe(true);
  expect([other.index, ...other.images].some(has)).toBe(false);
  expect(pruned.error?.message).toContain('answered 409');
});
