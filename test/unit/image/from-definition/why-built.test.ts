import { expect, test } from 'vitest';
import type { StorePathInfo } from '../../../../src/definition/closure.ts';
import { whyBuilt } from '../../../../src/image/from-definition/why-built.ts';

const hash = (letter: string): string => letter.repeat(32);

const info = (letter: string, name: string, narSize: number): StorePathInfo => ({
  path: `/nix/store/${hash(letter)}-${name}`,
  narHash: 'sha256-',
  narSize,
  references: [],
});

const closure = [info('a', 'app-2', 10), info('b', 'bash-5.2', 90), info('c', 'cacert', 20), info('d', 'data', 30)];

test.each<[string, readonly string[], string]>([
  ['nothing before it', [], 'new: no earlier image to reuse'],
  ['other paths', ['a', 'b', 'd'], 'changed: cacert'],
  ['no path that was there', ['x'], 'changed: bash-5.2, data, cacert and 1 more'],
  ['the same paths, and one that is gone', ['a', 'b', 'c', 'd', 'x'], 'no store path has changed'],
])('an image with %s says why it is built', (_what, before, expected) => {
  expect(whyBuilt(closure, { groups: before.map((letter) => [hash(letter)]) })).toBe(expected);
});
