import { indexBytes } from '../oci/manifest.ts';
import { descriptorOf } from '../oci/read-manifest.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import { blobName } from '../storage/layout/layout-folder.ts';
import { CONTAINERD_NAME, LAYOUT_MARKER, REF_NAME } from '../storage/layout/layout-index.ts';
import { endBlocks, fileHeader, padding } from '../tar/header.ts';
import type { ServedPlatform } from './served-image.ts';

/**
 * One platform's image as the archive that `docker load`, `podman load` and containerd read from a pipe: docker's `manifest.json` (moby,
 * `image/spec/v1.2.md`) and an OCI layout over the same blobs, as `docker save` writes it since version 25, so that stores that keep
 * manifests have the image under its own digest. `name` is what the image is called there. Layers are made while they are read; a block
 * may be used again once the next one is asked for. Throws UserError `digest` where a layer is another one by now.
 */
export async function* servedArchive(platform: ServedPlatform, name: string): AsyncGenerator<Uint8Array> {
  const { manifest, blobs } = platform;
  for (const [path, bytes] of documents(platform, name)) yield file(path, bytes);
  yield file(blobName(manifest.digest), manifest.bytes);
  for (const { descriptor, open } of blobs.values()) {
    const { digest, size } = descriptor;
    yield fileHeader(blobName(digest), size);
    const { chunks, release } = open(0);
    for await (const chunk of chunks) {
      yield chunk;
      release?.(chunk);
    }
    yield Buffer.alloc(padding(size));
  }
  yield endBlocks();
}

/** What says where everything is. It comes first; who reads a pipe keeps all of it anyway. */
function documents({ manifest, layers, configDigest }: ServedPlatform, name: string): [path: string, bytes: Buffer][] {
  const reference = parseReference(name);
  const annotations = { [CONTAINERD_NAME]: formatReference(reference), [REF_NAME]: reference.tag ?? 'latest' };
  const entry = { Config: blobName(configDigest), RepoTags: [name], Layers: layers.map(blobName) };
  return [
    ['oci-layout', Buffer.from(LAYOUT_MARKER)],
    ['index.json', indexBytes([{ ...descriptorOf(manifest), annotations }], {})],
    ['manifest.json', Buffer.from(JSON.stringify([entry]))],
  ];
}

const file = (path: string, bytes: Uint8Array): Buffer =>
  Buffer.concat([fileHeader(path, bytes.length), bytes, Buffer.alloc(padding(bytes.length))]);
