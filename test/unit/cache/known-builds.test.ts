import { expect, test } from 'vitest';
import type { CachedPath } from '../../../src/cache/cache-index.ts';
import { knownBuilds } from '../../../src/cache/known-builds.ts';
import { storePath } from './sample.ts';

let count = 0;

const built = (deriver: string, seconds: number, rest: Partial<CachedPath> = {}): CachedPath => ({
  path: storePath(`path-${count++}`),
  narHash: `sha256-${'A'.repeat(43)}=`,
  narSize: 10,
  references: [],
  deriver: storePath(`${deriver}.drv`),
  seconds,
  pieces: [{ pack: 0, offset: 0, length: 100 }],
  system: 'x86_64-linux',
  isLeaf: false,
  used: 1,
  ...rest,
});

/** The same derivation after an update: another hash. */
const updated = (name: string): string => `/nix/store/${'b'.repeat(32)}-${name}.drv`;

test('a build is known by its name, and by that of another version, on its system alone', () => {
  const known = knownBuilds({
    paths: [
      built('openssl-3.0.1', 40),
      built('openssl-3.0.2', 50, { used: 2 }),
      built('tool', 7),
      built('other', 9, { system: 'aarch64-linux' }),
    ],
  });
  const secondsOf = (name: string, system = 'x86_64-linux') => known(system, updated(name))?.seconds;
  expect(secondsOf('openssl-3.0.1')).toBe(40);
  expect(secondsOf('openssl-3.1.0')).toBe(50);
  expect(secondsOf('tool')).toBe(7);
  expect(secondsOf('tools')).toBeUndefined();
  expect(secondsOf('other')).toBeUndefined();
  expect(secondsOf('other', 'aarch64-linux')).toBe(9);
});

test('outputs of one derivation took their time together, and have their bytes each', () => {
  const known = knownBuilds({ paths: [built('lib-1', 30), built('lib-1', 30), built('lib-1', 0.1)] });
  expect(known('x86_64-linux', updated('lib-2'))).toEqual({ seconds: 30, bytes: 300, used: 1 });
});

test('a path whose derivation nobody knows says nothing', () => {
  const { deriver: _, ...path } = built('lib', 30);
  expect(knownBuilds({ paths: [path] })('x86_64-linux', updated('lib'))).toBeUndefined();
});
