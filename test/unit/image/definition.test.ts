import { describe, expect, test } from 'vitest';
import { definitionSchema } from '../../../src/image/definition.ts';

const accepts = (fields: object): boolean =>
  definitionSchema.safeParse({ schemaVersion: 1, kind: 'oci', name: 'x', roots: [], ...fields }).success;

const link = (target: string) => ({ files: { '/x': { type: 'symlink', target } } });

describe('the schema', () => {
  test.each<[string, object]>([
    ['a link', link('../a b')],
    ['a name with a slash', { name: 'team/app' }],
    ['a tag', { tag: 'v1..2' }],
  ])('takes %s', (_name, fields) => {
    expect(accepts(fields)).toBe(true);
  });

  test.each<[string, object]>([
    ['a link to nowhere', link('')],
    ['a link with a zero byte', link('a\0b')],
    ['a path with a zero byte', { files: { '/a\0': { type: 'directory' } } }],
    ['a path that climbs', { files: { '/a/../b': { type: 'directory' } } }],
    ['a name that climbs', { name: '../x' }],
    ['a tag with a line end', { tag: 'x\n' }],
  ])('refuses %s', (_name, fields) => {
    expect(accepts(fields)).toBe(false);
  });
});
