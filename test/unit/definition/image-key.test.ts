import { describe, expect, test } from 'vitest';
import { type Definition, definitionSchema } from '../../../src/definition/definition.ts';
import {
  annotatedKey,
  definitionKey,
  isImageKey,
  keyAnnotation,
  toolImageKey,
} from '../../../src/definition/image-key.ts';

const path = (letter: string, name = 'app'): string => `/nix/store/${letter.repeat(32)}-${name}`;
const root = (letter: string, drv = 'd') => ({
  drvPath: `${path(drv, 'app')}.drv`,
  output: 'out',
  outPath: path(letter),
});

const base = {
  schemaVersion: 1,
  kind: 'oci',
  name: 'team/app',
  roots: [root('a'), root('b')],
  config: { Cmd: ['/bin/app'] },
};
const definition = (change: object = {}): Definition => definitionSchema.parse({ ...base, ...change });
const key = (change: object = {}): string => definitionKey(definition(change), 'x86_64-linux');

test('a key is that of the releases before, where nothing new is said', () => {
  expect(key()).toBe('c96b3e0cd74b97b0e55b30f37afe0df906ba79b757883ceac2918691b685ac9e');
});

describe('the key of a definition', () => {
  test('is a hash, the same for equal definitions', () => {
    expect(isImageKey(key())).toBe(true);
    expect(key()).toBe(key());
  });

  test.each([
    ['name', { name: 'team/other' }],
    ['tag', { tag: 'v2' }],
    ['a test', { tests: { runs: { command: ['true'] } } }],
    ['the order of roots', { roots: [root('b'), root('a')] }],
    ['a derivation that makes the same path', { roots: [root('a', 'f'), root('b')] }],
    ['a second derivation of one path', { roots: [root('a'), root('a', 'f'), root('b')] }],
    ['the system, where it is said or not', { system: 'x86_64-linux' }],
  ])('does not change with %s', (_what, change) => {
    expect(key(change)).toBe(key());
  });

  test.each([
    ['the closure', { roots: [root('a'), root('c')] }],
    ['a root more', { roots: [root('a'), root('b'), root('c')] }],
    ['the config', { config: { Cmd: ['/bin/other'] } }],
    ['the compression', { compression: 'zstd' }],
    ['an annotation', { annotations: { note: 'x' } }],
    ['the layers', { maxLayers: 41 }],
    ['a file', { files: { '/etc/motd': { type: 'text', text: 'x' } } }],
    ['the base', { fromImage: `docker.io/library/debian@sha256:${'0'.repeat(64)}` }],
    ['the database', { includeNixDB: true }],
    ['the time', { created: 1 }],
    ['the format', { format: 'docker' }],
    ['what is replaceable', { replaceable: [path('a')] }],
  ])('changes with %s', (_what, change) => {
    expect(key(change)).not.toBe(key());
  });

  test('changes with the system', () => {
    expect(definitionKey(definition(), 'aarch64-linux')).not.toBe(key());
  });
});

test('the key of an image of another tool changes with path, kind and system', () => {
  const keys = [
    toolImageKey({ kind: 'archive', outPath: path('a') }, 'x86_64-linux'),
    toolImageKey({ kind: 'archive', outPath: path('b') }, 'x86_64-linux'),
    toolImageKey({ kind: 'stream', outPath: path('a') }, 'x86_64-linux'),
    toolImageKey({ kind: 'archive', outPath: path('a') }, 'aarch64-linux'),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys.every(isImageKey)).toBe(true);
});

test('a key is read back from annotations, and nothing else is taken for one', () => {
  expect(annotatedKey({ annotations: keyAnnotation(key()) })).toBe(key());
  expect(annotatedKey({})).toBeUndefined();
  expect(annotatedKey({ annotations: keyAnnotation('../../etc') })).toBeUndefined();
});
