import { expect, it } from 'vitest';
import { keyAnnotation } from '../../../src/definition/image-key.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import type { StoredManifest } from '../../../src/oci/read-manifest.ts';
import { platformOf, type System } from '../../../src/oci/system.ts';
import { isOtherIndex } from '../../../src/publish/live-index.ts';
import type { PlatformInput } from '../../../src/publish/platform-input.ts';

const stored = (content: object, mediaType: string): StoredManifest => {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content }));
  return { bytes, mediaType, digest: digestOf(bytes) };
};

const [A, B] = ['a', 'b'].map((letter) => letter.repeat(64)) as [string, string];
const [X86, ARM] = ['x86_64-linux', 'aarch64-linux'] as const;
const digestFor = (text: string) => digestOf(Buffer.from(text));

const entry = (system: System, key: string, digest = digestFor(key)) => ({
  mediaType: MEDIA_TYPE.manifest,
  digest,
  size: 1,
  platform: platformOf(system),
  annotations: keyAnnotation(key),
});

const indexOf = (...manifests: object[]): StoredManifest => stored({ manifests }, MEDIA_TYPE.index);

/** An image that is published already: its digest is known. */
const part = (system: System, key: string): PlatformInput =>
  ({ kind: 'published', system, key, manifest: digestFor(key) }) as PlatformInput;

it('an index of the same images may be what would be published', () => {
  expect(isOtherIndex(indexOf(entry(X86, A), entry(ARM, B)), [part(X86, A), part(ARM, B)])).toBe(false);
});

it.each([
  ['a single image', stored({ config: entry(X86, A), layers: [] }, MEDIA_TYPE.manifest)],
  ['one of other platforms', indexOf(entry(X86, A))],
  ['one of more platforms', indexOf(entry(X86, A), entry(ARM, B), entry(ARM, A))],
  ['one with another image of the same key', indexOf(entry(X86, A, digestFor('other')), entry(ARM, B))],
  ['one with images swapped', indexOf(entry(X86, B), entry(ARM, A))],
])('%s is certainly another one', (_name, index) => {
  expect(isOtherIndex(index, [part(X86, A), part(ARM, B)])).toBe(true);
});
