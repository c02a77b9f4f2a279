import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ofThisJob } from '../../../src/cache/find-built.ts';
import { candidatesOf, imageParts, selectPaths } from '../../../src/cache/select.ts';
import type { StoredPath } from '../../../src/nix/path-info.ts';

const pathOf = (name: string): string => `/nix/store/${'0'.repeat(32)}-${name}`;

interface Given {
  readonly refs?: readonly string[];
  readonly drv?: string;
  readonly built?: boolean;
  readonly size?: number;
}

const stored = (
  name: string,
  { refs = [], drv = `${name}.drv`, built = true, size = 100 }: Given = {},
): StoredPath => ({
  path: pathOf(name),
  narHash: `sha256-${'A'.repeat(43)}=`,
  narSize: size,
  references: refs.map(pathOf),
  deriver: pathOf(drv),
  isBuilt: built,
});

const derivation = (name: string, uses: readonly string[] = []): StoredPath => ({
  ...stored(`${name}.drv`, { refs: uses.map((use) => `${use}.drv`), built: false }),
  deriver: undefined,
});

const set = (...names: string[]): ReadonlySet<string> => new Set(names.map(pathOf));

const NONE = { images: set(), cached: set(), neverSubstituted: set(), largest: 1000 };

const namesOf = (paths: readonly StoredPath[]): string[] => paths.map(({ path }) => path.slice(44)).sort();

function select(
  store: readonly StoredPath[],
  facts: Partial<typeof NONE> & { readonly upstream?: ReadonlySet<string> } = {},
) {
  const { chosen, left } = selectPaths({ ...NONE, ...facts, store }, facts.upstream ?? set());
  return { chosen: namesOf(chosen), left: Object.fromEntries([...left].map(([why, list]) => [why, namesOf(list)])) };
}

describe('what is stored', () => {
  test('what was built here, neither derivations nor what came from elsewhere', () => {
    const store = [stored('app', { refs: ['lib'] }), stored('lib', { built: false }), derivation('app')];
    expect(select(store)).toEqual({ chosen: ['app'], left: {} });
  });

  test('not what is upstream, in the cache, or too large; each for its reason', () => {
    const store = ['a', 'b', 'c', 'd'].map((name) => stored(name, name === 'd' ? { size: 1001 } : {}));
    expect(select(store, { upstream: set('a'), cached: set('b') })).toEqual({
      chosen: ['c'],
      left: { upstream: ['a'], cached: ['b'], size: ['d'] },
    });
  });

  test('what refers to something missing is left out, all the way up; what is upstream or cached is not missing', () => {
    const store = [
      stored('huge', { size: 5000 }),
      stored('wrapper', { refs: ['huge', 'wrapper'] }),
      stored('app', { refs: ['wrapper', 'lib'] }),
      stored('lib'),
      stored('tool', { refs: ['up', 'old'] }),
      stored('up'),
      stored('old'),
    ];
    expect(select(store, { upstream: set('up'), cached: set('old') })).toEqual({
      chosen: ['lib', 'tool'],
      left: { size: ['huge'], incomplete: ['app', 'wrapper'], upstream: ['up'], cached: ['old'] },
    });
  });

  test('what Nix would rather build is stored only where something refers to it', () => {
    const store = [
      stored('script'),
      stored('config', { refs: ['part'] }),
      stored('part'),
      stored('app', { refs: ['config'] }),
    ];
    const neverSubstituted = set('script.drv', 'config.drv', 'part.drv');
    expect(select(store, { neverSubstituted })).toEqual({
      chosen: ['app', 'config', 'part'],
      left: { trivial: ['script'] },
    });
  });

  test('only those that nothing else excludes are asked for upstream', () => {
    const store = [stored('a'), stored('big', { size: 1001 }), stored('old'), stored('image'), derivation('a')];
    expect(namesOf(candidatesOf({ ...NONE, store, cached: set('old'), images: set('image') }))).toEqual(['a']);
  });
});

describe('parts of images and disks', () => {
  // As dockerTools.buildImage makes them: the layer's tar is used for the image alone; what lists the closure refers to it.
  const IMAGE = [
    stored('image.tar.gz'),
    stored('layer.tar'),
    stored('closure-info', { refs: ['app', 'lib'] }),
    stored('app', { refs: ['lib'] }),
    stored('lib'),
    derivation('image.tar.gz', ['layer.tar', 'closure-info']),
    derivation('layer.tar', ['app', 'closure-info']),
    derivation('closure-info', ['app']),
    derivation('app', ['lib']),
    derivation('lib'),
  ];

  test('an image, and what only it needs, but not what it holds', () => {
    expect([...imageParts(IMAGE, set('image.tar.gz'))].sort()).toEqual([
      ...set('closure-info', 'image.tar.gz', 'layer.tar'),
    ]);
    expect(select(IMAGE, { images: set('image.tar.gz') })).toEqual({
      chosen: ['app', 'lib'],
      left: { image: ['closure-info', 'image.tar.gz', 'layer.tar'] },
    });
  });

  test('not what something else uses too', () => {
    const store = [...IMAGE, stored('report'), derivation('report', ['layer.tar'])];
    expect(imageParts(store, set('image.tar.gz')).has(pathOf('layer.tar'))).toBe(false);
  });

  test('not where another output of the same derivation is used', () => {
    const two = [stored('debug', { drv: 'layer.tar.drv' }), stored('symbols', { refs: ['debug'] })];
    expect(imageParts([...IMAGE, ...two], set('image.tar.gz')).has(pathOf('layer.tar'))).toBe(false);
  });

  test('nothing where there is no image', () => {
    expect(imageParts(IMAGE, set()).size).toBe(0);
  });
});

test('in any store: what is chosen was built here, is wanted, and is complete', () => {
  const names = Array.from({ length: 8 }, (_, at) => `p${at}`);
  const one = fc.record({
    built: fc.boolean(),
    size: fc.integer({ min: 1, max: 1200 }),
    refs: fc.subarray(names),
    uses: fc.subarray(names),
  });
  const some = fc.subarray(names).map((list) => set(...list));
  fc.assert(
    fc.property(
      fc.array(one, { minLength: 8, maxLength: 8 }),
      some,
      some,
      some,
      some,
      (given, images, cached, up, never) => {
        const store = given.flatMap(({ built, size, refs, uses }, at) => [
          stored(`p${at}`, { built, size, refs }),
          derivation(`p${at}`, uses),
        ]);
        const neverSubstituted = new Set([...never].map((path) => `${path}.drv`));
        const { chosen, left } = selectPaths({ store, images, cached, neverSubstituted, largest: 1000 }, up);
        const keptPaths = new Set(chosen.map(({ path }) => path));
        const outside = new Set(store.filter(({ isBuilt }) => !isBuilt).map(({ path }) => path));
        for (const { path, isBuilt, narSize, references } of chosen) {
          expect(isBuilt && narSize <= 1000 && !images.has(path) && !cached.has(path) && !up.has(path)).toBe(true);
          for (const reference of references) {
            expect([keptPaths, cached, up, outside].some((list) => list.has(reference))).toBe(true);
          }
        }
        const all = [...left.values()].flat().length + chosen.length;
        expect(all).toBe(store.filter(({ isBuilt }) => isBuilt).length);
      },
    ),
    { numRuns: 500 },
  );
});

test('of a store that stays, what came before the job counts as built only where something newer needs it', () => {
  const path = (name: string): string => `/nix/store/${name.padStart(32, '0')}-${name}`;
  const stored = (name: string, registered: number, references: readonly string[] = []): StoredPath => ({
    ...{ path: path(name), narHash: '', narSize: 1, references: references.map(path), deriver: undefined },
    ...{ isBuilt: true, registered },
  });
  const store = [stored('old', 5), stored('lib', 5), stored('mid', 6, ['lib']), stored('app', 10, ['mid'])];
  const built = ofThisJob(store, 10.7).filter(({ isBuilt }) => isBuilt);
  expect(built.map((one) => one.path)).toEqual(['lib', 'mid', 'app'].map(path));
});
