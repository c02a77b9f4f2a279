import { describe, expect, test } from 'vitest';
import { digestOf } from '../../../src/oci/digest.ts';
import { type PlatformInput, soleImage } from '../../../src/publish/platform-input.ts';
import { heldOf } from '../../../src/publish/report.ts';
import type { Target } from '../../../src/publish/target.ts';
import type { Repository } from '../../../src/storage/destination.ts';

const part = (name: string, tag: string | null, origin: string) => ({ name, tag, origin }) as PlatformInput;

describe('the image of several parts', () => {
  test('has one name and one tag', () => {
    expect(soleImage([part('app', '1', 'a'), part('app', '1', 'b')], false)).toMatchObject({ name: 'app', tag: '1' });
    expect(() => soleImage([part('app', '1', 'a'), part('web', '1', 'b')], false)).toThrow('two images: app from a');
  });

  test('is refused with two tags of its own, unless others are asked for', () => {
    const parts = [part('app', '1', 'a'), part('app', null, 'b')];
    expect(() => soleImage(parts, false)).toThrow('app has two tags: 1 in a, and no tag in b');
    expect(soleImage(parts, true)).toMatchObject({ name: 'app' });
  });

  test('is refused where one is a disk and the other is not', () => {
    const of = (kind: string, origin: string) =>
      ({ ...part('app', '1', origin), kind: 'handover', handover: { label: { kind } } }) as PlatformInput;
    const parts = [of('container', 'a'), of('disk', 'b')];
    expect(() => soleImage(parts, false)).toThrow('a is a container image, and b is a disk');
    expect(soleImage([of('disk', 'a'), of('disk', 'b')], false)).toMatchObject({ name: 'app' });
  });
});

test('archives for docker hold no index: what is published there is named by its config', () => {
  const target = (kind: Target['kind']): Target => ({ repository: {} as Repository, kind, tags: [] });
  const [index, config] = [digestOf(Buffer.from('index')), digestOf(Buffer.from('config'))];
  const published = {
    index: { bytes: Buffer.alloc(0), mediaType: 'index', digest: index },
    platforms: [
      {
        system: 'x86_64-linux' as const,
        digest: index,
        layers: [],
        config: { mediaType: 'config', digest: config, size: 1 },
        tests: null,
        bytesSent: 0,
      },
    ],
  };
  expect(heldOf(published, [target('docker-archive')])).toMatchObject({ what: 'image', digest: config });
  expect(heldOf(published, [target('docker-archive'), target('registry')])).toMatchObject({ digest: index });
  expect(heldOf(published, [target('oci')])).toMatchObject({ what: 'index', digest: index });
});
