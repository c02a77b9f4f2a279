import { expect, it } from 'vitest';
import { galleryFacts } from '../../../src/commands/gallery.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import type { StoredManifest } from '../../../src/oci/read-manifest.ts';

const stored = (content: object, mediaType: string): StoredManifest => {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content }));
  return { bytes, mediaType, digest: digestOf(bytes) };
};

const descriptor = { mediaType: MEDIA_TYPE.config, digest: digestOf(Buffer.from('{}')), size: 2 };

const index = (platforms: readonly (readonly [string, string])[], annotations?: object): StoredManifest =>
  stored(
    {
      manifests: platforms.map(([os, architecture]) => ({
        ...descriptor,
        mediaType: MEDIA_TYPE.manifest,
        platform: { os, architecture },
      })),
      ...(annotations ? { annotations } : {}),
    },
    MEDIA_TYPE.index,
  );

const DESCRIPTION = 'org.opencontainers.image.description';

it.each([
  ['nothing of an index without platforms', index([]), {}],
  [
    "the platforms in the gallery's words, each once",
    index([
      ['linux', 'arm64'],
      ['linux', 'amd64'],
      ['windows', 'amd64'],
      ['linux', 'riscv64'],
    ]),
    { architectures: ['ARM 64', 'x86-64'], operatingSystems: ['Linux', 'Windows'] },
  ],
  ['no attestations', index([['unknown', 'unknown']]), {}],
  ['the description', index([], { [DESCRIPTION]: ' An app\n' }), { description: 'An app' }],
  ['no empty description', index([], { [DESCRIPTION]: ' ' }), {}],
  [
    'as much of a description as fits',
    index([], { [DESCRIPTION]: 'x'.repeat(2000) }),
    { description: 'x'.repeat(1024) },
  ],
  [
    'no half of a character',
    index([], { [DESCRIPTION]: `${'x'.repeat(1023)}\u{1F433}` }),
    { description: 'x'.repeat(1023) },
  ],
  [
    'the description of an image, whose platform is in its config',
    stored({ config: descriptor, layers: [], annotations: { [DESCRIPTION]: 'Alone' } }, MEDIA_TYPE.manifest),
    { description: 'Alone' },
  ],
])('%s', (_name, manifest, expected) => {
  expect(galleryFacts(manifest)).toEqual(expected);
});
