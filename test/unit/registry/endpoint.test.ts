import { describe, expect, it } from 'vitest';
import { allowsPlainHttp, hostAliases, originOf, redactUrl, resolveLocation } from '../../../src/registry/endpoint.ts';

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
    ['http://127.0.0.1:1/x', 'https://h.io/v2/b', 'http://127.0.0.1:1/x'],
  ])('%s from %s', (location, base, expected) => {
    expect(resolveLocation(location, base, []).href).toBe(expected);
  });
  it.each(['http://other.io/x?token=t', 'ftp://h.io/x', 'file:///etc/passwd', 'https://'])('refuses %s', (location) => {
    expect(() => resolveLocation(location, 'https://h.io/v2/b', [])).toThrow(
      expect.objectContaining({ code: 'registry', message: expect.not.stringContaining('token') }),
    );
  });
});
