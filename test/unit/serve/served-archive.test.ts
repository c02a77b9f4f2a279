import { expect, test } from 'vitest';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { servedArchive } from '../../../src/serve/served-archive.ts';
import type { ServedBlob, ServedPlatform } from '../../../src/serve/served-image.ts';
import { tarEntries } from '../../../src/tar/reader.ts';

/** A block that is filled anew after it was given back, as the blocks of layers are. */
function blob(mediaType: string, text: string): ServedBlob {
  const block = Buffer.alloc(4);
  async function* chunks() {
    for (let at = 0; at < text.length; at += 4) {
      const part = block.subarray(0, block.write(text.slice(at, at + 4)));
      yield part;
    }
  }
  const bytes = Buffer.from(text);
  return {
    title: 'a blob',
    descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length },
    open: () => ({ chunks: chunks(), release: (chunk) => chunk.fill(0) }),
  };
}

test('an archive holds the image as docker and as OCI describe it, each blob once', async () => {
  const config = blob(MEDIA_TYPE.config, '{"config":true}');
  const layer = blob(MEDIA_TYPE.layer, 'a layer of some bytes');
  const bytes = Buffer.from('{"layers":[]}');
  const platform: ServedPlatform = {
    system: 'x86_64-linux',
    key: 'key',
    manifest: { bytes, mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes) },
    configDigest: config.descriptor.digest,
    config: { hasCommand: true },
    layers: [layer.descriptor.digest, layer.descriptor.digest],
    blobs: new Map([config, layer].map((each) => [each.descriptor.digest, each])),
    isDamaged: () => false,
    close: async () => {},
  };
  async function* copied() {
    for await (const chunk of servedArchive(platform, 'web:v1')) yield Buffer.from(chunk);
  }
  const found = new Map<string, string>();
  const names: string[] = [];
  for await (const { name, content } of tarEntries(copied(), () => 1000)) {
    names.push(String(name));
    found.set(String(name), content.toString());
  }
  const at = ({ descriptor }: ServedBlob): string => descriptor.digest.replace('sha256:', 'blobs/sha256/');
  expect(names).toEqual([...new Set(names)]);
  expect(JSON.parse(found.get('manifest.json') ?? '')).toEqual([
    { Config: at(config), RepoTags: ['web:v1'], Layers: [at(layer), at(layer)] },
  ]);
  const { manifests } = JSON.parse(found.get('index.json') ?? '');
  expect(manifests).toEqual([
    {
      ...{ mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes), size: bytes.length },
      annotations: {
        'io.containerd.image.name': 'docker.io/library/web:v1',
        'org.opencontainers.image.ref.name': 'v1',
      },
    },
  ]);
  expect(JSON.parse(found.get('oci-layout') ?? '')).toEqual({ imageLayoutVersion: '1.0.0' });
  expect([found.get(at(config)), found.get(at(layer))]).toEqual(['{"config":true}', 'a layer of some bytes']);
  expect(found.get(digestOf(bytes).replace('sha256:', 'blobs/sha256/'))).toBe('{"layers":[]}');
});
