import { expect, test } from 'vitest';
import { cacheIndexSchema, EMPTY_INDEX } from '../../../src/cache/cache-index.ts';
import { keepPacks, mergeIndexes } from '../../../src/cache/merge.ts';
import { sampleIndex, samplePackKey, storePath } from './sample.ts';

const before = sampleIndex({ old: { bash: {}, glibc: {} } }, { app: ['bash'] }, 1);
const part = sampleIndex({ new: { app: { seconds: 99 }, bash: { seconds: 12 } } }, { app: ['app', 'bash'] }, 2);

const keysOf = (name: string, index = mergeIndexes([before, part])) => {
  const found = index.paths.find(({ path }) => path === storePath(name));
  return found?.pieces.map(({ pack }) => index.packs[pack]?.key);
};

test('a path of two indexes is taken from the first, with the longer time of building and the later use', () => {
  const merged = mergeIndexes([before, part]);
  expect(merged.paths.map(({ path }) => path)).toEqual(['bash', 'glibc', 'app'].map(storePath));
  expect(merged.paths[0]).toMatchObject({ seconds: 12, used: 2 });
  expect(keysOf('bash')).toEqual([samplePackKey('old')]);
  expect(keysOf('app')).toEqual([samplePackKey('new')]);
  expect(cacheIndexSchema.parse(merged)).toEqual(merged);
});

test('the newest closure of an image counts, in whatever order they come', () => {
  const newest = part.closures;
  expect(mergeIndexes([before, part]).closures).toEqual(newest);
  expect(mergeIndexes([part, before]).closures).toEqual(newest);
});

test('two attempts of a job: the other copy stays as a pack of which nothing is used', () => {
  const again = sampleIndex({ again: { app: {}, bash: {} } });
  const merged = mergeIndexes([part, again]);
  expect(merged.paths).toHaveLength(2);
  expect(merged.packs.map(({ key }) => key)).toEqual([samplePackKey('new'), samplePackKey('again')]);
  expect(merged.paths.flatMap(({ pieces }) => pieces).every(({ pack }) => pack === 0)).toBe(true);
});

test('one index twice is that index, and none is the empty one', () => {
  expect(mergeIndexes([part, part])).toEqual(part);
  expect(mergeIndexes([])).toEqual(EMPTY_INDEX);
});

test('packs that are gone take with them the paths that have a piece in them, and no other', () => {
  const [app, bash] = part.paths;
  const spread = {
    ...mergeIndexes([before, part]),
    paths: [
      ...before.paths,
      {
        ...(app ?? bash),
        pieces: [
          { pack: 0, offset: 0, length: 5 },
          { pack: 1, offset: 0, length: 5 },
        ],
      },
    ],
  } as typeof part;
  const kept = keepPacks(spread, ({ key }) => key !== samplePackKey('old'));
  expect(kept.packs.map(({ key }) => key)).toEqual([samplePackKey('new')]);
  expect(kept.paths).toEqual([]);
  expect(keepPacks(mergeIndexes([before, part]), ({ key }) => key !== samplePackKey('old')).paths).toEqual([
    { ...app, pieces: [{ pack: 0, offset: 0, length: 100 }] },
  ]);
});
