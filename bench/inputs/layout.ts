import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Digest } from '../../src/oci/digest.ts';
import { digestSchema } from '../../src/oci/digest-schema.ts';
import { type ImageManifest, indexSchema, manifestSchema } from '../../src/oci/manifest.ts';

/** One image in an OCI layout. */
export interface LayoutImage {
  readonly manifest: ImageManifest;
  readonly diffIds: readonly Digest[];
  /** The file of a blob. */
  blob(digest: Digest): string;
}

const configSchema = z.looseObject({ rootfs: z.looseObject({ diff_ids: z.array(digestSchema) }) });

/** Opens the first image of an OCI layout. Throws when there is none. */
export async function openLayout(folder: string): Promise<LayoutImage> {
  const blob = (digest: Digest): string => join(folder, 'blobs', ...digest.split(':'));
  const first = async (file: string): Promise<ImageManifest> => {
    const body: unknown = JSON.parse(await readFile(file, 'utf8'));
    const index = indexSchema.safeParse(body);
    if (!index.success) return manifestSchema.parse(body);
    const [child] = index.data.manifests;
    if (child === undefined) throw new Error(`${file} is an index of nothing`);
    return first(blob(child.digest));
  };
  const manifest = await first(join(folder, 'index.json'));
  const config = configSchema.parse(JSON.parse(await readFile(blob(manifest.config.digest), 'utf8')));
  return { manifest, diffIds: config.rootfs.diff_ids, blob };
}
