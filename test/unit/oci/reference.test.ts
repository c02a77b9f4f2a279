import { describe, expect, it } from 'vitest';
import { familiarReference, formatReference, isTag, parseReference } from '../../../src/oci/reference.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

describe('parseReference', () => {
  it.each([
    ['debian', { host: 'docker.io', repository: 'library/debian' }],
    ['debian:12', { host: 'docker.io', repository: 'library/debian', tag: '12' }],
    ['org/app', { host: 'docker.io', repository: 'org/app' }],
    ['docker.io/debian', { host: 'docker.io', repository: 'library/debian' }],
    ['index.docker.io/org/app', { host: 'docker.io', repository: 'org/app' }],
    ['ghcr.io/org/app:1.0', { host: 'ghcr.io', repository: 'org/app', tag: '1.0' }],
    ['GHCR.io/org/app', { host: 'ghcr.io', repository: 'org/app' }],
    ['localhost/app', { host: 'localhost', repository: 'app' }],
    ['localhost:5000/app:1', { host: 'localhost:5000', repository: 'app', tag: '1' }],
    ['127.0.0.1:5000/a/b/c', { host: '127.0.0.1:5000', repository: 'a/b/c' }],
    ['[::1]:5000/app', { host: '[::1]:5000', repository: 'app' }],
    [`ghcr.io/o/a@${DIGEST}`, { host: 'ghcr.io', repository: 'o/a', digest: DIGEST }],
    [`ghcr.io/o/a:1@${DIGEST}`, { host: 'ghcr.io', repository: 'o/a', tag: '1', digest: DIGEST }],
    ['a__b/c.d/e---f', { host: 'docker.io', repository: 'a__b/c.d/e---f' }],
    [`app:${'x'.repeat(128)}`, { host: 'docker.io', repository: 'library/app', tag: 'x'.repeat(128) }],
  ])('reads %s', (text, expected) => {
    const reference = parseReference(text);
    expect(reference).toEqual(expected);
    expect(parseReference(formatReference(reference))).toEqual(reference);
  });

  it.each([
    ['', 'empty'],
    ['https://ghcr.io/org/app', 'URL'],
    ['ghcr.io/Org/app', '"Org"'],
    ['ghcr.io/', 'repository name is missing'],
    ['ghcr.io//app', 'is empty'],
    ['app:', '""'],
    ['app:-x', '"-x"'],
    [`app:${'x'.repeat(129)}`, 'tag'],
    ['app:a b', 'white space'],
    ['app@sha256:123', '"sha256:123"'],
    [`app@sha512:${'a'.repeat(128)}`, 'digest'],
    ['ghcr.io:0/app', '0 is not a port'],
    ['ghcr.io:99999/app', '99999 is not a port'],
    ['-x.io/app', '"-x.io"'],
    ['a..b.io/app', '"a..b.io"'],
    ['org/a___b', '"a___b"'],
    ['org/../app', '".."'],
    [`ghcr.io/${'a'.repeat(300)}`, '255'],
  ])('refuses %s', (text, part) => {
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({ code: 'reference', message: expect.stringContaining(part), hint: expect.any(String) }),
    );
  });

  it('says how an upper-case name is written', () => {
    expect(() => parseReference('ghcr.io/Org/app')).toThrow(
      expect.objectContaining({ hint: 'Write it in lower case: org.' }),
    );
  });
});

it.each([
  ['debian:12', 'debian:12'],
  ['docker.io/org/app:1', 'org/app:1'],
  ['ghcr.io/library/x:1', 'ghcr.io/library/x:1'],
])('familiarReference of %s', (text, expected) => {
  expect(familiarReference(parseReference(text))).toBe(expected);
});

it.each([
  ['1.0', true],
  ['_x', true],
  ['', false],
  ['.x', false],
  ['a/b', false],
  ['x'.repeat(129), false],
])('isTag(%s)', (text, expected) => {
  expect(isTag(text)).toBe(expected);
});
