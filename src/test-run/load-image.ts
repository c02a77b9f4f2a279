import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { System } from '../oci/system.ts';
import { createDockerArchive } from '../storage/archive/docker-archive.ts';
import { copyManifestTree } from '../storage/copy.ts';
import type { ImageSource } from '../storage/source.ts';
import { callRuntime, type Runtime, removeImage } from './runtime.ts';

/** An image as it is where the build put it. */
export interface ImageToTest {
  readonly system: System;
  readonly manifest: StoredManifest;
  /** Where its blobs are; those of a registry are fetched by digest, with the credentials of the build. */
  readonly repository: ImageSource;
}

/**
 * Brings an image to a container program under a name of its own, has `work` use it, and takes it away again. It goes
 * through an archive, which every version of podman and docker loads, so that neither needs credentials, TLS settings or
 * a registry. Throws what reading the image throws, UserError `test` when it cannot be loaded, and what `work` throws.
 */
export async function withLoadedImage<T>(
  runtime: Runtime,
  { manifest, repository }: ImageToTest,
  tempDir: string,
  work: (name: string) => Promise<T>,
): Promise<T> {
  const name = `localhost/nix-images-test:${randomUUID()}`;
  const file = join(tempDir, `${randomUUID()}.tar`);
  try {
    await writeArchive(file, name, manifest, repository);
    await callRuntime(runtime, ['load', '--input', file]);
    await rm(file, { force: true });
    return await work(name);
  } finally {
    await rm(file, { force: true });
    await removeImage(runtime, name);
  }
}

async function writeArchive(file: string, name: string, manifest: StoredManifest, from: ImageSource): Promise<void> {
  const archive = createDockerArchive(file, undefined);
  try {
    await copyManifestTree(manifest, from, [archive]);
    await archive.tag(name, manifest);
    await archive.commit();
  } catch (error) {
    await archive.abandon();
    throw error;
  }
}
