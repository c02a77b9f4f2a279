import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const TYPE = 'application/vnd.oci.image';

/** Writes an OCI layout with one image of no layers for linux/amd64, tagged `latest`; gives the image's digest. */
export async function writeEmptyImage(folder: string): Promise<string> {
  await mkdir(join(folder, 'blobs/sha256'), { recursive: true });
  const store = async (value: unknown, mediaType: string) => {
    const text = JSON.stringify(value);
    const hash = createHash('sha256').update(text).digest('hex');
    await writeFile(join(folder, 'blobs/sha256', hash), text);
    return { mediaType, digest: `sha256:${hash}`, size: Buffer.byteLength(text) };
  };
  const rootfs = { type: 'layers', diff_ids: [] };
  const config = await store({ architecture: 'amd64', os: 'linux', rootfs }, `${TYPE}.config.v1+json`);
  const manifest = { schemaVersion: 2, mediaType: `${TYPE}.manifest.v1+json`, config, layers: [] };
  const image = await store(manifest, manifest.mediaType);
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' };
  await writeFile(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  await writeFile(
    join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, mediaType: `${TYPE}.index.v1+json`, manifests: [{ ...image, annotations }] }),
  );
  return image.digest;
}
