import { describe, expect, test } from 'vitest';
import { definitionSchema } from '../../../src/definition/definition.ts';

const accepts = (fields: object): boolean =>
  definitionSchema.safeParse({ schemaVersion: 1, kind: 'oci', name: 'x', roots: [], ...fields }).success;

const tested = (test: object) => ({ tests: { works: test } });

const link = (target: string) => ({ files: { '/x': { type: 'symlink', target } } });

test('a time in seconds is the same as its text', () => {
  const parse = (created: unknown) =>
    definitionSchema.parse({ schemaVersion: 1, kind: 'oci', name: 'x', roots: [], created }).created;
  expect(parse(1_769_860_800)).toBe('2026-01-31T12:00:00Z');
  expect(parse('2026-01-31T12:00:00Z')).toBe('2026-01-31T12:00:00Z');
  expect(parse(null)).toBeNull();
});

describe('the schema', () => {
  test.each<[string, object]>([
    ['a link', link('../a b')],
    ['a name with a slash', { name: 'team/app' }],
    ['a tag', { tag: 'v1..2' }],
    ['a time', { created: '2026-01-31T12:00:00Z' }],
    ['a time elsewhere', { created: '2026-01-31T12:00:00+02:00' }],
    ['a time in seconds', { created: 1_769_860_800 }],
    ["gzip in Docker's format", { format: 'docker', compression: 'pigz' }],
    ['what only Docker obeys', { config: { Shell: ['/bin/bash', '-c'], OnBuild: ['RUN true'], StopTimeout: 5 } }],
    ['a test of the command itself', tested({})],
    ['a test of files', tested({ files: { '/a': {}, '/b': { exists: false }, '/c': { text: { matches: '^x' } } } })],
    ['a test of a port', tested({ port: { number: 80, path: '/', status: 204 }, command: ['/bin/server'] })],
  ])('takes %s', (_name, fields) => {
    expect(accepts(fields)).toBe(true);
  });

  test.each<[string, object]>([
    ['a time that is always another', { created: 'now' }],
    ['a day', { created: '2026-01-31' }],
    ['a time before 1970', { created: -1 }],
    ["zstd in Docker's format", { format: 'docker', compression: 'zstd:3' }],
    ["zstd:chunked in Docker's format", { format: 'docker', compression: 'zstd:chunked' }],
    ['a format that is none', { format: 'v2s2' }],
    ['a link to nowhere', link('')],
    ['a link with a zero byte', link('a\0b')],
    ['a path with a zero byte', { files: { '/a\0': { type: 'directory' } } }],
    ['a path that climbs', { files: { '/a/../b': { type: 'directory' } } }],
    ['a name that climbs', { name: '../x' }],
    ['a tag with a line end', { tag: 'x\n' }],
    ['a test of an unknown kind', tested({ sterr: { contains: 'x' } })],
    ['a test without a time limit', tested({ timeout: 0 })],
    ['a test whose name breaks a table', { tests: { 'a|b': {} } }],
    ['a pattern that is none', tested({ stdout: { matches: '(' } })],
    ['a text of which nothing is stated', tested({ stdout: {} })],
    ['a port that has an exit code', tested({ port: { number: 80 }, exitCode: 1 })],
    ['a port without HTTP that has a text', tested({ port: { number: 80, text: { contains: 'x' } } })],
    ['a file that must not be there but have a mode', tested({ files: { '/a': { exists: false, mode: '0644' } } })],
  ])('refuses %s', (_name, fields) => {
    expect(accepts(fields)).toBe(false);
  });
});
