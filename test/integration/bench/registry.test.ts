import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readOutput } from '../../../bench/registry/output.ts';
import { startRegistry, storageOf } from '../../../bench/registry/registry.ts';
import { copyStorage } from '../../../bench/registry/storage.ts';
import { sendFile } from '../../../bench/steps/send-file.ts';
import { uniqueTempDir } from '../../support/tools.ts';

const SIZE = 5_000_000;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A blob in a file of its digest's name. */
async function blobFile(folder: string, bytes: Uint8Array): Promise<{ file: string; digest: string; size: number }> {
  const file = join(folder, sha256(bytes));
  await writeFile(file, bytes);
  return { file, digest: `sha256:${sha256(bytes)}`, size: bytes.length };
}

async function putManifest(host: string, config: { digest: string; size: number }, layers: unknown[]): Promise<void> {
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config.digest, size: config.size },
    layers,
  });
  const response = await fetch(`http://${host}/v2/bench/manifests/latest`, {
    method: 'PUT',
    headers: { 'content-type': mediaType },
    body,
  });
  expect(response.status).toBe(201);
}

test('bytes and requests are what was sent, and a copy of the storage leads a life of its own', async () => {
  await using temp = await uniqueTempDir('bench');
  const layer = await blobFile(temp.path, randomBytes(SIZE));
  const config = await blobFile(temp.path, Buffer.from('{"rootfs":{"type":"layers","diff_ids":[]}}'));
  const described = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layer.digest, size: SIZE };

  const first = join(temp.path, 'first');
  const registry = await startRegistry(first);
  const before = await registry.counters();
  await sendFile(`${registry.host}/bench`, layer.file);
  const after = await registry.counters();
  const read = after.bytesRead - before.bytesRead;
  expect(read).toBeGreaterThan(SIZE);
  expect(read).toBeLessThan(SIZE + 20_000);
  await sendFile(`${registry.host}/bench`, config.file);
  await putManifest(registry.host, config, [described]);
  expect(await readOutput(registry.host, 'bench', 'latest')).toEqual({
    layers: 1,
    bytes: SIZE,
    mediaTypes: ['application/vnd.oci.image.layer.v1.tar'],
  });
  // Two requests a blob and one for the manifest; the look at the result does not count.
  expect(await registry.stop()).toBe(5);

  const second = join(temp.path, 'second');
  await copyStorage(storageOf(first), storageOf(second));
  const copy = await startRegistry(second);
  expect(await readOutput(copy.host, 'bench', 'latest')).toMatchObject({ layers: 1, bytes: SIZE });
  await putManifest(copy.host, config, []);
  expect(await readOutput(copy.host, 'bench', 'latest')).toMatchObject({ layers: 0 });
  expect(await copy.stop()).toBe(1);

  const again = await startRegistry(first);
  expect(await readOutput(again.host, 'bench', 'latest')).toMatchObject({ layers: 1 });
  expect(await again.stop()).toBe(0);
  const kept = join(
    storageOf(first),
    'docker/registry/v2/blobs/sha256',
    sha256(await readFile(layer.file)).slice(0, 2),
  );
  expect(sha256(await readFile(join(kept, sha256(await readFile(layer.file)), 'data')))).toBe(layer.digest.slice(7));
});
