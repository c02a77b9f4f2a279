import { describe, expect, test } from 'vitest';
import type { TreeLayer } from '../../../src/image/layer.ts';
import { type Before, whyMade, whyText } from '../../../src/image/layer-reason.ts';
import type { PreviousLayer } from '../../../src/image/previous-image.ts';
import type { Reusable } from '../../../src/image/reuse.ts';

const hash = (letter: string): string => letter.repeat(32);
const path = (letter: string): string => `/nix/store/${hash(letter)}-${letter}-1.0`;

const tree = (...letters: string[]): TreeLayer => ({
  kind: 'tree',
  label: 'label',
  title: 'title',
  paths: letters.map(path),
  key: 'k',
  size: 1,
  record: () => {
    throw new Error('not asked for');
  },
  open: () => Promise.reject(new Error('not asked for')),
});

const earlier = (letters: string, isNamed = true): Before['planned'][number] => ({
  storeHashes: [...letters].map(hash),
  paths: isNamed ? [...letters].map(path) : [],
});

const known = (mediaType: string): PreviousLayer => ({ descriptor: { mediaType } }) as unknown as PreviousLayer;

const why = (layer: TreeLayer, told: Partial<Before>, reusable?: Reusable): string =>
  whyText(
    whyMade({
      layer,
      before: { planned: [], layersOf: () => [], isRecompressing: false, ...told },
      form: { mediaType: 'gzip', isChunked: false },
      ...(reusable ? { reusable } : {}),
    }),
  );

describe('a layer is made because', () => {
  test('nothing was there', () => {
    expect(why(tree('a'), {})).toBe('no earlier image');
  });

  test('one of its paths is another than in the layer before that has most of them', () => {
    expect(why(tree('a', 'b', 'c'), { planned: [earlier('a'), earlier('bcd'), earlier('x')] })).toBe(
      `key changed: ${path('a')}, without ${path('d')}`,
    );
  });

  test('its only path is new', () => {
    expect(why(tree('n'), { planned: [earlier('a'), earlier('b')] })).toBe(`key changed: ${path('n')}`);
  });

  test('its only path was another of the same name', () => {
    const old = { storeHashes: [hash('b'), hash('c')], paths: [path('b'), `/nix/store/${hash('c')}-n-0.9`] };
    expect(why(tree('n'), { planned: [earlier('a'), old] })).toBe(
      `key changed: ${path('n')}, without ${path('b')}, /nix/store/${hash('c')}-n-0.9`,
    );
  });

  test('many paths changed, of which two are named', () => {
    expect(why(tree('a', 'b', 'c', 'd', 'x'), { planned: [earlier('x')] })).toBe(
      `key changed: ${path('a')}, ${path('b')} and 2 more`,
    );
  });

  test('a path is gone whose name nobody knows', () => {
    expect(why(tree('a'), { planned: [earlier('ab', false)] })).toBe(`key changed: without /nix/store/${hash('b')}-…`);
  });

  test('what stands around the same paths changed', () => {
    expect(why(tree('a'), { planned: [earlier('a')] })).toBe('key changed: the same store paths');
  });

  test('files outside the store changed', () => {
    expect(why(tree(), { planned: [earlier('a')] })).toBe('key changed: files of the image');
  });

  test('it is packed otherwise', () => {
    expect(why(tree('a'), { planned: [earlier('a')], layersOf: () => [known('zstd')] })).toBe('compression changed');
  });

  test('what names it does not have it any more', () => {
    expect(why(tree('a'), { planned: [earlier('a')], layersOf: () => [known('gzip')] })).toBe(
      'no longer at its registry',
    );
  });

  test('a destination knows nothing of it', () => {
    const reusable = { unknownAt: [{ name: 'docker://b/app' }] } as unknown as Reusable;
    expect(why(tree('a'), { planned: [earlier('a')], layersOf: () => [known('gzip')] }, reusable)).toBe(
      'new at docker://b/app',
    );
  });

  test('it was asked for', () => {
    expect(why(tree('a'), { planned: [earlier('a')], isRecompressing: true })).toBe('made again as asked');
  });
});
