import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../../src/core/canonical-json.ts';
import { layerKey } from '../../../src/definition/layer.ts';
import {
  inheritedAnnotation,
  layerAnnotations,
  layerRecord,
  ownLayerRecords,
  withoutOwn,
} from '../../../src/definition/layer-record.ts';
import { historyEntry, imageConfigBytes, imageConfigSchema } from '../../../src/oci/config.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { indexBytes } from '../../../src/oci/manifest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { storePath } from '../definition/trees.ts';

const digest = (text: string): Digest => digestOf(Buffer.from(text));

describe('canonicalJson', () => {
  test('sorts keys, leaves undefined out, keeps the order of lists', () => {
    expect(canonicalJson({ b: [2, 1], a: { d: null, c: undefined, é: true } })).toBe(
      '{"a":{"d":null,"é":true},"b":[2,1]}',
    );
  });
  test.each([0.5, 2 ** 53, Number.NaN])('refuses %d', (value) => {
    expect(() => canonicalJson(value)).toThrow(RangeError);
  });
});

describe('imageConfigBytes', () => {
  const platform = { architecture: 'arm64', os: 'linux' };

  test('is the same for equal input and has a fixed time', () => {
    const input = {
      platform,
      config: { Cmd: ['x'], Entrypoint: null },
      diffIds: [digest('a')],
      history: [historyEntry('h')],
      base: undefined,
    };
    const config = JSON.parse(imageConfigBytes(input).toString());
    expect(imageConfigBytes(input)).toEqual(imageConfigBytes(structuredClone(input)));
    expect(config.created).toBe('1970-01-01T00:00:01Z');
    expect(config.config).toEqual({ Cmd: ['x'] });
    expect(JSON.parse(imageConfigBytes({ ...input, created: '2026-01-31T12:00:00Z' }).toString()).created).toBe(
      '2026-01-31T12:00:00Z',
    );
  });

  test.each<[string, { empty_layer?: boolean }[] | undefined]>([
    ['none', undefined],
    ['too few', [{}]],
    ['too many', [{}, {}, {}]],
    ['only empty layers', [{ empty_layer: true }, { empty_layer: true }]],
  ])('gives every layer of a base an entry when its history has %s', (_name, history) => {
    const rootfs = { type: 'layers', diff_ids: [digest('1'), digest('2')] };
    const base = imageConfigSchema.parse({ architecture: 'arm64', os: 'linux', rootfs, history });
    const input = { platform, config: {}, diffIds: [digest('own')], history: [historyEntry('own')], base };
    const entries = JSON.parse(imageConfigBytes(input).toString()).history;
    expect(entries).toHaveLength(3);
    expect(entries[2]).toEqual(historyEntry('own'));
  });

  test('keeps variables of a base that have no value apart', () => {
    const rootfs = { type: 'layers', diff_ids: [] };
    const config = { Env: ['FOO', 'FO=1', 'FOX'] };
    const base = imageConfigSchema.parse({ architecture: 'arm64', os: 'linux', config, rootfs });
    const input = { platform, config: {}, diffIds: [], history: [], base };
    expect(JSON.parse(imageConfigBytes(input).toString()).config.Env).toEqual(['FOO', 'FO=1', 'FOX']);
  });

  test('takes of a base its layers, history and environment, overridden by name, and nothing else', () => {
    const base = imageConfigSchema.parse({
      architecture: 'arm64',
      os: 'linux',
      config: { Env: ['PATH=/bin', 'LANG=C'], Entrypoint: ['/base'], User: 'base' },
      rootfs: { type: 'layers', diff_ids: [digest('base')] },
      history: [{ created_by: 'base' }],
    });
    const input = {
      platform,
      config: { Env: ['PATH=/own', 'X=1'] },
      diffIds: [digest('own')],
      history: [historyEntry('own')],
      base,
    };
    const config = JSON.parse(imageConfigBytes(input).toString());
    expect(config.config).toEqual({ Env: ['PATH=/own', 'LANG=C', 'X=1'] });
    expect(config.rootfs.diff_ids).toEqual([digest('base'), digest('own')]);
    expect(config.history.map((entry: { created_by: string }) => entry.created_by)).toEqual(['base', 'nix-images']);
  });
});

test('indexBytes sorts by platform, whatever order the children came in', () => {
  const child = (architecture: string) => ({
    mediaType: MEDIA_TYPE.manifest,
    digest: digest(architecture),
    size: 1,
    platform: { architecture, os: 'linux' },
  });
  const bytes = indexBytes([child('arm64'), child('amd64')], { a: 'b' });
  expect(indexBytes([child('amd64'), child('arm64')], { a: 'b' })).toEqual(bytes);
  expect(JSON.parse(bytes.toString()).manifests[0].platform.architecture).toBe('amd64');
});

describe('layer annotations', () => {
  const record = {
    key: 'a'.repeat(64),
    diffId: digest('x'),
    unpackedSize: 12,
    storeHashes: ['0'.repeat(32), '1'.repeat(32)],
  };
  const descriptor = { mediaType: MEDIA_TYPE.layerGzip, digest: digest('y'), size: 3 };

  test('read back as they were written', () => {
    expect(layerRecord({ ...descriptor, annotations: layerAnnotations(record) })).toEqual(record);
  });
  test.each([
    ['none', undefined],
    ['a key that is none', { ...layerAnnotations(record), 'io.nix-images.layer.key': 'x' }],
    ['a diffID that is none', { ...layerAnnotations(record), 'io.nix-images.layer.diff-id': 'sha256:1' }],
    ['a size that is none', { ...layerAnnotations(record), 'io.nix-images.layer.unpacked-size': 'many' }],
  ])('%s: no record', (_name, annotations) => {
    expect(layerRecord({ ...descriptor, ...(annotations ? { annotations } : {}) })).toBeUndefined();
  });

  const layer = { ...descriptor, annotations: layerAnnotations(record) };
  const manifest = { schemaVersion: 2, config: descriptor, layers: [layer, descriptor, layer] } as const;
  const mark = 'io.nix-images.image.inherited-layers';
  test.each<[string, Record<string, string> | undefined, number[]]>([
    ['has no base', inheritedAnnotation(0), [0, 2]],
    ['has a base of one layer', inheritedAnnotation(1), [2]],
    ['has a base of all its layers', inheritedAnnotation(3), []],
    ['has a base of more', inheritedAnnotation(9), []],
    ['does not say', { other: '0' }, []],
    ['has no annotations', undefined, []],
    ['says it in no number', { [mark]: '-1' }, []],
    ['says nothing', { [mark]: '' }, []],
  ])('of an image that %s are those of its own layers', (_what, annotations, own) => {
    const records = ownLayerRecords({ ...manifest, layers: [...manifest.layers], annotations });
    expect(records.flatMap((found, at) => (found ? [at] : []))).toEqual(own);
  });

  test('of another maker are kept, but for those that only this project may write', () => {
    const others = { 'containerd.io/snapshot/stargz/toc.digest': 'sha256:1', 'io.nix-images': 'x' };
    expect(withoutOwn({ ...layerAnnotations(record), ...inheritedAnnotation(1), ...others })).toEqual(others);
    expect(withoutOwn(undefined)).toEqual({});
  });
});

describe('layerKey', () => {
  const info = { path: storePath('a'), narHash: 'sha256-x', narSize: 1, references: [] };
  const key = (change: object) =>
    layerKey({ kind: 'store', storeMode: 0o755, over: {}, paths: [{ ...info, ...change }] });
  test.each([{ narHash: 'sha256-y' }, { narSize: 2 }, { path: storePath('b') }])('changes with %o', (change) => {
    expect(key(change)).not.toBe(key({}));
  });
  test('does not change with what is no content', () => {
    expect(key({ references: [storePath('z')] })).toBe(key({}));
  });
});
