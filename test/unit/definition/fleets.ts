import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { StorePathInfo } from '../../../src/definition/closure.ts';
import type { FleetImage } from '../../../src/definition/fleet-plan.ts';
import { storeHash } from '../../../src/definition/store-path.ts';

export const MB = 1024 * 1024;
export const named = (name: string): string => `/nix/store/${createHash('md5').update(name).digest('hex')}-${name}`;
export const path = (name: string, narSize: number, references: readonly string[] = []): StorePathInfo => ({
  path: named(name),
  narHash: 'sha256-',
  narSize,
  references: references.map(named),
});

export type Layers = readonly (readonly StorePathInfo[])[];
export const hashes = (layers: Layers): string[][] => layers.map((layer) => layer.map((info) => storeHash(info.path)));
export const keys = (layers: Layers): string[] => layers.map((layer) => layer.map((info) => info.path).join(' '));
export const pathsIn = (infos: readonly StorePathInfo[]): string[] => infos.map((info) => info.path).sort();
export const bytesOf = (infos: Iterable<StorePathInfo>): number =>
  [...infos].reduce((sum, info) => sum + info.narSize, 0);
export const byPath = (a: StorePathInfo, b: StorePathInfo): number => (a.path < b.path ? -1 : 1);

/** What some paths of a graph need, themselves included. */
export const closureOf = (graph: readonly StorePathInfo[], roots: readonly number[]): StorePathInfo[] => {
  const infos = new Map(graph.map((info) => [info.path, info]));
  const found = new Set(roots.flatMap((at) => graph[at % graph.length] ?? []));
  for (const info of found) for (const reference of info.references) found.add(infos.get(reference) ?? info);
  return [...found].sort(byPath);
};

/** Sizes that are equal more often than not, about those from which a path is worth a layer: what ties are decided by shows then. */
const sizes = fc.oneof(fc.constantFrom(0, 1000, 64 * 1024, 500_000, 4 * MB), fc.nat(3 * MB));

/** What Nix builds: paths that refer to those before them. */
export const graphs = fc
  .array(fc.record({ size: sizes, references: fc.array(fc.nat(200), { maxLength: 4 }) }), {
    minLength: 1,
    maxLength: 60,
  })
  .map((nodes) =>
    nodes.map(({ size, references }, at) =>
      path(
        `p${at}`,
        size,
        [...new Set(references.filter((other) => other < at))].map((other) => `p${other}`),
      ),
    ),
  );

export const fleets = fc
  .tuple(
    graphs,
    fc.array(fc.record({ roots: fc.array(fc.nat(), { maxLength: 4 }), budget: fc.integer({ min: 1, max: 25 }) }), {
      minLength: 1,
      maxLength: 6,
    }),
  )
  .map(([graph, images]) =>
    images.map(({ roots, budget }): FleetImage => ({ closure: closureOf(graph, roots), budget, previous: [] })),
  );
