import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  attributeText,
  fileInstallable,
  installableText,
  parseAttributePath,
  parseInstallable,
} from '../../../src/nix/installable.ts';

describe('installables of a flake', () => {
  test.each([
    ['.', { flake: '.', path: ['default'] }],
    ['.#', { flake: '.', path: ['default'] }],
    ['#app', { flake: '.', path: ['app'] }],
    ['.#app', { flake: '.', path: ['app'] }],
    ['path:/x?dir=y#app', { flake: 'path:/x?dir=y', path: ['app'] }],
    ['github:org/repo/main#a.b', { flake: 'github:org/repo/main', path: ['a', 'b'] }],
    ['.#"a.b".c', { flake: '.', path: ['a.b', 'c'] }],
    ['.#nixImages.x86_64-linux.app', { output: 'nixImages', system: 'x86_64-linux', path: ['app'] }],
    ['.#nixImages.aarch64-linux', { output: 'nixImages', system: 'aarch64-linux', path: ['default'] }],
    ['.#packages.aarch64-linux.app', { output: 'packages', system: 'aarch64-linux', path: ['app'] }],
    ['.#packages', { output: undefined, system: undefined, path: ['packages'] }],
    ['.#other.x86_64-linux.app', { output: 'other', system: 'x86_64-linux', path: ['app'] }],
    [
      '.#legacyPackages.aarch64-linux.dockerImages.app',
      { output: 'legacyPackages', system: 'aarch64-linux', path: ['dockerImages', 'app'] },
    ],
    ['.#containers.x86_64-linux.app', { output: 'containers', system: 'x86_64-linux', path: ['app'] }],
    ['.#images.app', { output: undefined, path: ['images', 'app'] }],
    ['.#web.linux', { output: undefined, path: ['web', 'linux'] }],
  ])('%s', (text, expected) => {
    expect(parseInstallable(text)).toMatchObject({ kind: 'flake', ...expected });
  });

  test.each([
    ['--impure', 'starts like an option'],
    ['.#app^out', 'no outputs to choose'],
    ['.#a..b', 'not legal at character 3'],
    ['.#.a', 'not legal at character 1'],
    ['.#a.', 'not legal at character 1'],
    ['.#"a', 'not legal'],
    ['.#a"b"', 'not legal'],
    ['.#nixImages.x86_64-darwin.app', 'not for "x86_64-darwin"'],
    ['.#legacyPackages.riscv64-linux.app', 'not for "riscv64-linux"'],
    ['.#nixImages.app', 'not for "app"'],
    ['.#a\nb', 'control character'],
  ])('%j is refused', (text, why) => {
    expect(() => parseInstallable(text)).toThrow(why);
  });

  test.each([
    '.#app',
    '.#nixImages.x86_64-linux.app',
    '.#"a.b".c',
    'github:org/repo#default',
  ])('%s is written back', (text) => {
    expect(installableText(parseInstallable(text))).toBe(text);
  });
});

describe('installables of a file', () => {
  test.each([
    ['default.nix', '', []],
    ['./x.nix', 'app', ['app']],
    ['x.nix', 'a."b c"', ['a', 'b c']],
  ])('%s %s', (file, attribute, path) => {
    expect(fileInstallable(file, attribute)).toEqual({ kind: 'file', file, path });
  });

  test('without a file is refused', () => {
    expect(() => fileInstallable('')).toThrow('names no file');
  });
});

test('an attribute path survives being written and read', () => {
  const parts = fc.array(
    fc.string({
      unit: fc.oneof(fc.constantFrom('"', '\\', '.', '\n', '\u0000', 'u', '$'), fc.string({ maxLength: 1 })),
    }),
    { minLength: 1 },
  );
  fc.assert(
    fc.property(parts, (path) => {
      expect(parseAttributePath(attributeText(path))).toEqual(path);
    }),
  );
});
