import { expect, test } from 'vitest';
import { compareVersions, packageOf } from '../../../src/diff/package-name.ts';

const HASH = '0c5gx7hqxlvybbr2hq3vc2r1yqpnvbcd';

test.each([
  ['openssl-3.0.15', 'openssl', '3.0.15', 'out'],
  ['openssl-3.0.15-dev', 'openssl', '3.0.15', 'dev'],
  ['glibc-2.42-67-bin', 'glibc', '2.42-67', 'bin'],
  ['source', 'source', '', 'out'],
  ['etc-passwd', 'etc-passwd', '', 'out'],
  ['python3.12-cryptography-43.0.1', 'python3.12-cryptography', '43.0.1', 'out'],
  ['foo-unstable-2024-01-31', 'foo-unstable', '2024-01-31', 'out'],
  ['app-1.0-rc1', 'app', '1.0-rc1', 'out'],
  ['libfoo-dev', 'libfoo', '', 'dev'],
  ['gtk+3-3.24', 'gtk+3', '3.24', 'out'],
])('%s is %s, version %s, output %s', (full, name, version, output) => {
  expect(packageOf(`/nix/store/${HASH}-${full}`)).toEqual({ name, version, output });
});

// What builtins.compareVersions of Nix 2.8 says; integration/diff asks it again.
test.each<[string, string, number]>([
  ['1.0', '2.3', -1],
  ['2.3', '2.3', 0],
  ['2.10', '2.9', 1],
  ['2.3.1', '2.3', 1],
  ['2.3.1', '2.3a', 1],
  ['2.3pre1', '2.3', -1],
  ['2.3pre3', '2.3pre12', -1],
  ['2.3a', '2.3c', -1],
  ['2.3pre1', '2.3q', -1],
  ['1.0-rc1', '1.0', 1],
])('%s and %s compare as %i', (a, b, expected) => {
  expect(Math.sign(compareVersions(a, b))).toBe(expected);
  expect(Math.sign(compareVersions(b, a))).toBe(expected === 0 ? 0 : -expected);
});
