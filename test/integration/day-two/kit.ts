import { UserError } from '../../../src/core/error.ts';
import type { Clock } from '../../../src/core/retry.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { descriptorOf, parseImageManifest, type StoredManifest } from '../../../src/oci/read-manifest.ts';
import type { PlatformImage } from '../../../src/publish/platform-image.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import { listReferrers } from '../../../src/storage/list-referrers.ts';
import type { RegistryEmulator } from '../../emulators/registry/emulator.ts';
import { madeBy } from '../promote/kit.ts';
import { blobOf, manifestOf, tarFile } from '../storage/kit.ts';

export const REPOSITORY = 'org/app';

/** Annotations of what a run made, on a day of its own. */
const annotationsOf = (run: number): Record<string, string> =>
  madeBy(run, `2026-01-${String(run).padStart(2, '0')}T00:00:00Z`);

/** Stores an image of one platform as a run builds it: its config and a layer are its own, another layer is in every image. */
export const buildImage = async (to: Repository, run: number, architecture: string): Promise<StoredManifest> => {
  const texts = ['in every image', `${architecture} of ${run}`];
  const layers = [];
  for (const text of texts) {
    const bytes = Buffer.concat([tarFile('file', Buffer.from(text)), Buffer.alloc(1024)]);
    const layer = blobOf(bytes);
    await to.putBlob(layer, bytes);
    layers.push(layer);
  }
  const diffIds = layers.map(({ digest }) => digest);
  const bytes = Buffer.from(
    JSON.stringify({ architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } }),
  );
  const config = blobOf(bytes, MEDIA_TYPE.config);
  await to.putBlob(config, bytes);
  const manifest = manifestOf({ config, layers, annotations: annotationsOf(run) }, MEDIA_TYPE.manifest);
  await to.putManifest(manifest);
  return manifest;
};

/** An image of a build job on its way into an index. */
export const onItsWay = (
  from: Repository,
  manifest: StoredManifest,
  system: PlatformImage['system'],
): PlatformImage => ({
  ...{ system, manifest, parsed: parseImageManifest(manifest), source: { layers: from, rest: from } },
  ...{ live: undefined, buildJob: undefined, tests: null, bytesSent: 0 },
});

/** Stores a signature of a manifest, and sees to it that it is listed. */
export const sign = async (to: Repository, subject: StoredManifest, clock: Clock): Promise<StoredManifest> => {
  const empty = blobOf(Buffer.from('{}'), 'application/vnd.oci.empty.v1+json');
  await to.putBlob(empty, Buffer.from('{}'));
  const artifactType = 'application/vnd.example.signature';
  const signature = manifestOf(
    { artifactType, config: empty, layers: [empty], subject: descriptorOf(subject) },
    MEDIA_TYPE.manifest,
  );
  await to.putManifest(signature);
  await listReferrers(to, [signature], { clock });
  return signature;
};

interface Content {
  readonly config?: { readonly digest: string };
  readonly layers?: readonly { readonly digest: string }[];
  readonly manifests?: readonly { readonly digest: string }[];
}

const contentOf = (bytes: Buffer): Content => JSON.parse(bytes.toString('utf8')) as Content;

/** What is missing of that which tags name, read from the registry's own store: `tag: digest`. */
export const missingParts = ({ store }: RegistryEmulator): string[] => {
  const missing: string[] = [];
  const look = (tag: string, digest: string): void => {
    const manifest = store.manifest(REPOSITORY, digest);
    if (manifest === undefined) {
      missing.push(`${tag}: manifest ${digest}`);
      return;
    }
    const { config, layers = [], manifests = [] } = contentOf(manifest.bytes);
    for (const child of manifests) look(tag, child.digest);
    for (const blob of [...(config ? [config] : []), ...layers]) {
      if (store.blob(REPOSITORY, blob.digest) === undefined) missing.push(`${tag}: blob ${blob.digest}`);
    }
  };
  for (const [tag, digest] of store.tags(REPOSITORY)) look(tag, digest);
  return missing;
};

/** Whether what an actor did came to its end; what it was refused, as people are told, is no fault of the test. */
export const attempt = async (work: () => Promise<void>): Promise<string | undefined> => {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
};
