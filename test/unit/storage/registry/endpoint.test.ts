import { describe, expect, it } from 'vitest';
import {
  allowsPlainHttp,
  hostAliases,
  mayLeadTo,
  originOf,
  redactUrl,
  resolveLocation,
  withQuery,
} from '../../../../src/storage/registry/endpoint.ts';

it.each([
  ['localhost', true],
  ['localhost:5000', true],
  ['127.0.0.1:5000', true],
  ['127.9.9.9', true],
  ['[::1]:5000', true],
  ['127.0.0.1.example.com', false],
  ['localhost.example.com', false],
  ['ghcr.io', false],
  ['plain.lan:5000', true],
  ['other.lan', true],
  ['plain.lan', false],
])('allowsPlainHttp(%s)', (host, expected) => {
  expect(allowsPlainHttp(host, ['plain.lan:5000', 'other.lan'])).toBe(expected);
});

it.each([
  ['ghcr.io', 'https://ghcr.io'],
  ['docker.io', 'https://registry-1.docker.io'],
  ['localhost:5000', 'http://localhost:5000'],
  ['ghcr.io:443', 'https://ghcr.io'],
  ['localhost:80', 'http://localhost'],
])('originOf(%s)', (host, expected) => {
  expect(originOf(host, [])).toBe(expected);
});

it.each([
  ['ghcr.io', ['ghcr.io', 'ghcr.io:443']],
  ['ghcr.io:443', ['ghcr.io:443', 'ghcr.io']],
  ['ghcr.io:80', ['ghcr.io:80']],
  ['localhost:80', ['localhost:80', 'localhost']],
  ['localhost', ['localhost', 'localhost:443', 'localhost:80']],
  ['localhost:5000', ['localhost:5000']],
])('hostAliases(%s)', (host, expected) => {
  expect(hostAliases(host)).toEqual(expected);
});

it('redactUrl leaves out user, query and fragment', () => {
  expect(redactUrl('https://bob:pw@h.io/v2/a?token=t#x')).toBe('https://h.io/v2/a');
});

describe('resolveLocation', () => {
  it.each([
    ['/v2/a?x=1', 'https://h.io/v2/b', 'https://h.io/v2/a?x=1'],
    ['c?x=1', 'https://h.io/v2/b', 'https://h.io/v2/c?x=1'],
    ['https://s3.io/x', 'https://h.io/v2/b', 'https://s3.io/x'],
    ['http://h.io/v2/a', 'https://h.io/v2/b', 'https://h.io/v2/a'],
    ['http://127.0.0.1:1/x', 'http://localhost:2/v2/b', 'http://127.0.0.1:1/x'],
  ])('%s from %s', (location, base, expected) => {
    expect(resolveLocation(location, base, []).href).toBe(expected);
  });
  it.each([
    'http://other.io/x?token=t',
    'http://127.0.0.1:1/x?token=t',
    'http://localhost/x',
    'http://[::1]:2/x',
    'ftp://h.io/x',
    'file:///etc/passwd',
    'https://',
  ])('refuses %s', (location) => {
    expect(() => resolveLocation(location, 'https://h.io/v2/b', [])).toThrow(
      expect.objectContaining({ code: 'registry', message: expect.not.stringContaining('token') }),
    );
  });
});

it.each([
  ['https://h.io', 'https://other.io/x', true],
  ['https://h.io', 'http://plain.lan/x', false],
  ['https://h.io', 'http://127.0.0.1/x', false],
  ['https://localhost', 'http://127.0.0.1/x', true],
  ['http://localhost:1', 'http://plain.lan/x', true],
  ['http://plain.lan', 'http://plain.lan:5000/x', true],
  ['http://plain.lan', 'http://other.lan/x', false],
  ['http://plain.lan', 'http://127.0.0.1:2375/x', false],
  ['http://plain.lan', 'ftp://plain.lan/x', false],
])('from %s to %s: %s', (from, to, expected) => {
  expect(mayLeadTo(new URL(from), new URL(to), ['plain.lan'])).toBe(expected);
});

it.each([
  ['https://h.io/u', 'https://h.io/u?digest=sha256%3Aab'],
  ['https://h.io/u?', 'https://h.io/u?digest=sha256%3Aab'],
  ['https://h.io/u?sig=a%20b~c+d%2f&x', 'https://h.io/u?sig=a%20b~c+d%2f&x&digest=sha256%3Aab'],
  ['https://h.io/u?a=%zz&b=(*)#part', 'https://h.io/u?a=%zz&b=(*)&digest=sha256%3Aab#part'],
])('what is added to %s leaves it as it is', (url, expected) => {
  expect(withQuery(url, [['digest', 'sha256:ab']]).href).toBe(expected);
});
