import { describe, expect, test } from 'vitest';
import { toSri } from '../../../src/nix/nar-hash.ts';
import { parsePathInfo } from '../../../src/nix/path-info.ts';

const LIB = '/nix/store/r9zgkzc5zab416qddj283jlsvp18ydzr-lib';
const APP = '/nix/store/8vckzajvwz7y9cizvnlcr84nxp5a56nn-app-1.0';
const GONE = '/nix/store/aabmx9v4k9004jy6hfwq9w8w7w91r1z3-gone';
const SRI = 'sha256-9CPbx+I+g28afJMSdqpzyncWktW6aBdLNMcrnyFqyCE=';
const BASE32 = '08f8d8hryay76i5ifs5ssn91cxyaffm7c4lkghd6z0rywb3xn8zl';
const HEX = Buffer.from(SRI.slice('sha256-'.length), 'base64').toString('hex');

const baseName = (path: string): string => path.slice('/nix/store/'.length);

const EXPECTED = new Map([
  [APP, { path: APP, narHash: SRI, narSize: 120, references: [APP, LIB].sort() }],
  [LIB, { path: LIB, narHash: SRI, narSize: 7, references: [] }],
  [GONE, null],
]);

const app = { narHash: SRI, narSize: 120, references: [LIB, APP], registrationTime: 1795255434 };
const lib = { narHash: `sha256:${BASE32}`, narSize: 7, references: [], ca: null, signatures: [] };

/** As the versions print it; see notes at the parser. */
const SHAPES = {
  'list (2.8)': [
    { path: APP, ...app },
    { path: LIB, ...lib },
    { path: GONE, valid: false },
  ],
  'object by path (2.26)': { [APP]: app, [LIB]: lib, [GONE]: null },
  'object by path with version (2.34, format 1)': {
    [APP]: { ...app, storeDir: '/nix/store', version: 1 },
    [LIB]: { ...lib, storeDir: '/nix/store', version: 1 },
    [GONE]: null,
  },
  'object by base name (2.34, format 2)': {
    info: {
      [baseName(APP)]: { ...app, references: [baseName(LIB), baseName(APP)], version: 2 },
      [baseName(LIB)]: { ...lib, narHash: { algorithm: 'sha256', format: 'base16', hash: HEX } },
      [baseName(GONE)]: null,
    },
    storeDir: '/nix/store',
    version: 2,
  },
};

describe('nix path-info --json', () => {
  test.each(Object.entries(SHAPES))('%s', (_name, shape) => {
    expect(parsePathInfo(JSON.stringify(shape))).toEqual(EXPECTED);
  });

  test.each([
    ['no JSON', 'error:'],
    ['a number', '3'],
    ['a list of numbers', '[1]'],
    ['a path elsewhere', JSON.stringify({ '/gnu/store/x': app })],
    ['an escape', JSON.stringify({ [`${APP}/../x`]: app })],
    ['a size that is none', JSON.stringify({ [APP]: { ...app, narSize: -1 } })],
    ['a hash that is none', JSON.stringify({ [APP]: { ...app, narHash: 'md5-x' } })],
    ['a reference that is none', JSON.stringify({ [APP]: { ...app, references: ['/etc/passwd'] } })],
    ['no references', JSON.stringify({ [APP]: { narHash: SRI, narSize: 1 } })],
  ])('%s is refused', (_name, text) => {
    expect(() => parsePathInfo(text)).toThrow('nix path-info printed unexpected output');
  });
});

describe('hash of a NAR', () => {
  test.each([
    ['SRI', SRI],
    ['base 64', SRI.replace('-', ':')],
    ['base 32', `sha256:${BASE32}`],
    ['base 16', `sha256:${HEX}`],
  ])('%s', (_name, text) => {
    expect(toSri(text)).toBe(SRI);
  });

  test.each([
    ['another algorithm', 'sha512-AAAA'],
    ['too short', 'sha256-AAAA'],
    ['letters that base 32 lacks', `sha256:${'e'.repeat(52)}`],
    ['more than 256 bits', `sha256:${'z'.repeat(52)}`],
    ['nothing', ''],
  ])('%s is refused', (_name, text) => {
    expect(toSri(text)).toBeUndefined();
  });
});
