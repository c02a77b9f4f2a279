import { expect, test } from 'vitest';
import { toBeBuilt } from '../../../src/nix/unbuilt.ts';
import type { System } from '../../../src/oci/system.ts';
import { sharedWork, sharedWorkLine } from '../../../src/plan/shared-work.ts';

const drv = (name: string): string => `/nix/store/${'a'.repeat(32)}-${name}.drv`;

const job = (name: string, system: System, ...drvs: readonly string[]) => ({
  name,
  images: [name],
  system,
  unbuilt: new Set(drvs.map(drv)),
});

test('what two jobs or more of one system build is told, and what another system builds is not', () => {
  const found = sharedWork([
    job('a', 'x86_64-linux', 'base', 'lib', 'a'),
    job('b', 'x86_64-linux', 'base', 'lib', 'b'),
    job('c', 'x86_64-linux', 'base', 'c'),
    job('d', 'x86_64-linux', 'd'),
    job('a', 'aarch64-linux', 'base-arm', 'other'),
    job('b', 'aarch64-linux', 'b-arm'),
  ]);
  expect(found).toEqual([
    {
      system: 'x86_64-linux',
      jobs: ['a', 'b', 'c'],
      images: ['a', 'b', 'c'],
      derivations: [drv('base'), drv('lib')],
      spare: 3,
    },
  ]);
  expect(found.map(sharedWorkLine)).toEqual([
    'x86_64-linux: the build jobs of a, b, c share 2 derivations that no binary cache has (base, lib), and each builds them for itself: 3 builds more than needed',
  ]);
});

test('one job alone shares nothing', () => {
  expect(sharedWork([job('a', 'x86_64-linux', 'base')])).toEqual([]);
  expect(sharedWork([])).toEqual([]);
});

test('of a long list a few are named', () => {
  const names = Array.from({ length: 9 }, (_, at) => `p-${at}`);
  const [found] = sharedWork([job('a', 'x86_64-linux', ...names), job('b', 'x86_64-linux', ...names)]);
  expect(found && sharedWorkLine(found)).toContain(
    '9 derivations that no binary cache has (p-0, p-1, p-2, p-3, p-4 and 4 more)',
  );
});

test.each([
  [
    'Nix 2.8',
    'these 2 derivations will be built:',
    'these 3 paths will be fetched (1.00 MiB download, 4.00 MiB unpacked):',
  ],
  [
    'one of each',
    'this derivation will be built:',
    'this path will be fetched (0.01 MiB download, 0.05 MiB unpacked):',
  ],
])('what is to be built is told from what is fetched: %s', (_, builds, fetches) => {
  const lines = [
    'warning: a word before',
    builds,
    `  ${drv('a')}`,
    `  ${drv('b')}`,
    fetches,
    `  ${drv('fetched')}`,
    '  /nix/store/x',
  ];
  expect(toBeBuilt(lines)).toEqual([drv('a'), drv('b')]);
  expect(toBeBuilt([])).toEqual([]);
});
