import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { definitionSchema } from '../../../src/definition/definition.ts';
import { CODECS, compressionSchema } from '../../../src/oci/compression.ts';

const NAMES = Object.keys(CODECS) as (keyof typeof CODECS)[];

describe('compression', () => {
  test.each(NAMES)('%s alone has its usual level', (name) => {
    expect(compressionSchema.parse(name)).toEqual({ name, level: CODECS[name].usual });
  });

  test.each(NAMES)('%s takes its lowest and highest level, and nothing beyond', (name) => {
    const { least, most } = CODECS[name];
    for (const level of [least, most]) {
      const text = `${name}:${level}`;
      expect(compressionSchema.parse(text)).toEqual({ name, level });
    }
    for (const level of [least - 1, most + 1])
      expect(compressionSchema.safeParse(`${name}:${level}`).success).toBe(false);
  });

  test.each([
    '',
    'bzip2',
    'GZIP',
    'gzip:',
    'gzip:06',
    'gzip:6.0',
    ' gzip',
    'gzip\n',
    'zstd:1:2',
    'zstd:1:chunked',
    '/bin/igzip',
    ':1',
  ])('refuses %j, and says what is allowed', (text) => {
    const { error } = compressionSchema.safeParse(text);
    expect(error?.issues[0]?.message).toBe(
      `${JSON.stringify(text)} is not a valid codec; expected gzip, zstd, zstd:chunked, igzip, pigz, or one of them with a level: ` +
        'gzip:1 to gzip:9, zstd:1 to zstd:19, zstd:chunked:1 to zstd:chunked:19, igzip:0 to igzip:3, pigz:1 to pigz:9',
    );
  });

  test('is gzip where a definition states none', () => {
    const { compression } = definitionSchema.parse({ schemaVersion: 1, kind: 'oci', name: 'x', roots: [] });
    expect(compression.name).toBe('gzip');
  });

  test('the schema that Nix reads has the same pattern', () => {
    const file = new URL('../../../nix/schema/image-definition.v1.json', import.meta.url);
    const { pattern } = JSON.parse(readFileSync(file, 'utf8')).properties.compression;
    expect(new RegExp(pattern).test('zstd:19')).toBe(true);
    expect(new RegExp(pattern).test('zstd:20')).toBe(false);
  });
});
