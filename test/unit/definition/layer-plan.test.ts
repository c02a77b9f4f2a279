import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Closure, StorePathInfo } from '../../../src/definition/closure.ts';
import { countDependents, layerBudget, planLayers } from '../../../src/definition/layer-plan.ts';
import { storeHash } from '../../../src/definition/store-path.ts';

const MB = 1024 * 1024;
const named = (name: string): string => `/nix/store/${createHash('md5').update(name).digest('hex')}-${name}`;
const path = (name: string, narSize: number, references: string[] = []): StorePathInfo => ({
  path: named(name),
  narHash: 'sha256-',
  narSize,
  references: references.map(named),
});

/** A random closure: every path refers only to earlier ones, as Nix guarantees. */
const closures = fc
  .array(
    fc.record({
      // Often equal, so that it shows what ties are decided by.
      size: fc.oneof(fc.constantFrom(0, 1000, 64 * 1024), fc.nat(10 * MB)),
      references: fc.array(fc.nat(200), { maxLength: 5 }),
    }),
    { maxLength: 60 },
  )
  .map((nodes) =>
    nodes.map((node, at): StorePathInfo => {
      const earlier = node.references.filter((reference) => reference < at);
      return path(
        `p${at}`,
        node.size,
        [...new Set(earlier)].map((reference) => `p${reference}`),
      );
    }),
  );

const pathsIn = (infos: Closure): string[] => infos.map(({ path }) => path).sort();

describe('planLayers', () => {
  test('every path is in exactly one layer, within the budget, whatever the graph', () => {
    fc.assert(
      fc.property(closures, fc.integer({ min: 1, max: 50 }), (closure, budget) => {
        const layers = planLayers(closure, budget);
        expect(layers.length).toBeLessThanOrEqual(budget);
        expect(pathsIn(layers.flat())).toEqual(pathsIn(closure));
        expect(layers.every((layer) => layer.length > 0)).toBe(true);
      }),
    );
  });

  test('does not depend on the order of the closure', () => {
    fc.assert(
      fc.property(closures, fc.integer({ min: 1, max: 20 }), (closure, budget) => {
        expect(planLayers([...closure].reverse(), budget)).toEqual(planLayers(closure, budget));
      }),
    );
  });

  test('large and widely needed paths stand alone, the rest shares the last layer', () => {
    const closure = [
      path('glibc', 30 * MB),
      path('openssl', 5 * MB, ['glibc']),
      path('tiny', 10, ['glibc']),
      path('app', 2 * MB, ['openssl', 'glibc']),
    ];
    const names = planLayers(closure, 3).map((layer) => layer.map((info) => info.path.slice(44)));
    expect(names).toEqual([['glibc'], ['openssl'], ['app', 'tiny']]);
  });

  test('small paths do not take layers of their own when there is not room for all', () => {
    const closure = [path('a', 10), path('b', 20), path('c', MB), path('d', 30)];
    expect(planLayers(closure, 3).map((layer) => layer.length)).toEqual([1, 3]);
  });
});

describe('the rules of planLayers', () => {
  const names = (layers: readonly (readonly StorePathInfo[])[]): string[][] =>
    layers.map((layer) => layer.map((info) => info.path.slice(44)).sort());
  const bases = ['base0', 'base1'];
  const leaves = Array.from({ length: 10 }, (_, at) => `leaf${at}`);
  // As many bytes that all need as bytes that nobody needs.
  const small = [...bases.map((name) => path(name, 5000)), ...leaves.map((name) => path(name, 1000, bases))];

  test('paths in a shared layer are in the order of their bytes', () => {
    fc.assert(
      fc.property(closures, fc.integer({ min: 1, max: 20 }), (closure, budget) => {
        for (const layer of planLayers(closure, budget)) {
          const paths = layer.map((info) => info.path);
          expect(paths).toEqual([...paths].sort());
        }
      }),
    );
  });

  test('as many paths as layers stand alone, however small', () => {
    const closure = Array.from({ length: 5 }, (_, at) => path(`p${at}`, 10));
    expect(planLayers(closure, 5).map((layer) => layer.length)).toEqual([1, 1, 1, 1, 1]);
  });

  test('a path of 64 KiB stands alone beside smaller ones', () => {
    expect(names(planLayers([...small, path('worth', 64 * 1024)], 5))[0]).toEqual(['worth']);
    expect(names(planLayers([...small, path('less', 64 * 1024 - 1)], 5))[0]).not.toEqual(['less']);
  });

  test('what many paths need stands apart from what few need, in a shared layer of each five', () => {
    expect(names(planLayers(small, 10))).toEqual([bases, leaves]);
  });

  test('layers of one path that stay are none of the shared ones', () => {
    const large = ['x', 'y', 'z'].map((name) => path(name, MB));
    const previous = large.map((info) => [storeHash(info.path)]);
    expect(names(planLayers([...large, ...small], 10, previous))).toEqual([['x'], ['y'], ['z'], bases, leaves]);
  });

  test('where there is no room for all that was published, the smallest layers are planned again', () => {
    const old = Array.from({ length: 5 }, (_, at) => path(`old${at}`, (5 - at) * MB));
    const previous = old.map((info) => [storeHash(info.path)]);
    expect(names(planLayers([...old, path('new', 10)], 4, previous))).toEqual([
      ['old0'],
      ['old1'],
      ['old2'],
      ['new', 'old3', 'old4'],
    ]);
  });
});

describe('planLayers after an image before', () => {
  const hashes = (layers: readonly (readonly StorePathInfo[])[]): string[][] =>
    layers.map((layer) => layer.map((info) => storeHash(info.path)));
  const keys = (layers: readonly (readonly StorePathInfo[])[]): string[] =>
    layers.map((layer) => layer.map((info) => info.path).join(' '));
  /** Another version of one path, and of every path that needs it, as Nix rebuilds them. */
  const changed = (closure: readonly StorePathInfo[], which: number): StorePathInfo[] => {
    const renamed = new Map<string, string>();
    return closure.map((info, at) => {
      const references = info.references.map((reference) => renamed.get(reference) ?? reference);
      if (at !== which && references.every((reference, index) => reference === info.references[index])) return info;
      const path = info.path.replace(
        /^\/nix\/store\/.{32}/,
        (start) =>
          `/nix/store/${createHash('md5')
            .update(start + info.path)
            .digest('hex')}`,
      );
      renamed.set(info.path, path);
      return { ...info, path, references };
    });
  };

  test('the same closure gives the same layers in the same order', () => {
    fc.assert(
      fc.property(closures, fc.integer({ min: 1, max: 50 }), (closure, budget) => {
        const before = planLayers(closure, budget);
        expect(planLayers(closure, budget, hashes(before))).toEqual(before);
      }),
    );
  });

  test('whatever came before, every path is in one layer and the budget holds', () => {
    fc.assert(
      fc.property(
        closures,
        closures,
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 50 }),
        (closure, other, budget, earlier) => {
          const before = hashes([...planLayers(other, earlier), ...planLayers(closure, earlier)]);
          const layers = planLayers(closure, budget, before);
          expect(layers.length).toBeLessThanOrEqual(budget);
          expect(pathsIn(layers.flat())).toEqual(pathsIn(closure));
        },
      ),
    );
  });

  test('a layer without a changed path is kept, so a change moves only the layers it touches', () => {
    fc.assert(
      fc.property(closures, fc.nat(), fc.integer({ min: 3, max: 50 }), (closure, seed, budget) => {
        fc.pre(closure.length > 0);
        const before = planLayers(closure, budget);
        const next = changed(closure, seed % closure.length);
        const after = planLayers(next, budget, hashes(before));
        const present = new Set(next.map((info) => info.path));
        const untouched = before.filter((layer) => layer.every((info) => present.has(info.path)));
        // One untouched layer may have to make room for what is new, where every layer was touched but by size.
        const lost = keys(untouched).filter((key) => !keys(after).includes(key));
        expect(lost.length).toBeLessThanOrEqual(1);
      }),
    );
  });
});

test('countDependents counts each path once, itself included', () => {
  const closure = [path('a', 1, ['a']), path('b', 1, ['a']), path('c', 1, ['a', 'b'])];
  expect([...countDependents(closure).values()]).toEqual([3, 2, 1]);
});

describe('layerBudget', () => {
  test.each([
    [40, 0, true, 9, 39],
    [40, 10, false, 9, 30],
    [120, 100, true, 9, 19],
    [40, 39, true, 0, 0],
    [40, 40, false, 0, 0],
  ])('maxLayers %i, base %i, root %s, %i paths: %i', (maxLayers, base, root, paths, budget) => {
    expect(layerBudget(maxLayers, base, root, paths)).toBe(budget);
  });

  test('refuses a base that takes all', () => {
    expect(() => layerBudget(40, 39, true, 1)).toThrow(
      'maxLayers: 40 leaves too few layers: the base has 39, the root takes 1, the closure needs 1',
    );
    expect(() => layerBudget(40, 40, true, 0)).toThrow('the base has 40, the root takes 1');
  });
});
