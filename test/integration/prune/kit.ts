import { gzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { indexBytes, manifestBytes } from '../../../src/oci/manifest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { descriptorOf, type StoredManifest } from '../../../src/oci/read-manifest.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { referrerOf } from '../../../src/oci/referrer.ts';
import type { PrunePlace } from '../../../src/prune/place.ts';
import { type Policy, parseKeepLast, parseMaxAge, parseTagPattern } from '../../../src/prune/policy.ts';
import type { AskPulls, Pruned } from '../../../src/prune/prune.ts';
import { prunePlace } from '../../../src/prune/prune.ts';
import { RegistryPlace } from '../../../src/prune/registry-place.ts';
import type { PullState } from '../../../src/prune/verdicts.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import { openForRemoval } from '../../../src/storage/open.ts';
import { referrersTag } from '../../../src/storage/referrers.ts';
import { type EmulatorOptions, type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { type TestDeps, testDeps } from '../storage/kit.ts';

export const REPOSITORY = 'org/app';

export const DAY = 86_400_000;

const CREATED = 'org.opencontainers.image.created';

const stored = (bytes: Buffer, mediaType: string = MEDIA_TYPE.manifest): StoredManifest => ({
  bytes,
  mediaType,
  digest: digestOf(bytes),
});

/** A tar with one file of that name and content. */
const tarOf = (name: string): Buffer => {
  const header = Buffer.alloc(512);
  const size = Buffer.byteLength(name);
  header.write(name.replaceAll(' ', '-'));
  for (const [at, value] of [
    [100, 0o444],
    [108, 0],
    [116, 0],
    [124, size],
    [136, 1],
  ] as const)
    header.write(value.toString(8).padStart(at < 124 ? 7 : 11, '0'), at);
  header.write('        0', 148);
  header.write('ustar\x0000', 257, 'latin1');
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
    'latin1',
  );
  return Buffer.concat([header, Buffer.from(name), Buffer.alloc(512 - size), Buffer.alloc(1024)]);
};

const put = async (to: Repository, content: string | Buffer, mediaType: string): Promise<Descriptor> => {
  const bytes = Buffer.from(content);
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
  await to.putBlob(descriptor, bytes);
  return descriptor;
};

interface Written {
  /** Days ago; without it nothing says when the image was made. */
  readonly age?: number | undefined;
  /** Contents of layers; images of the same text share them. */
  readonly layers?: readonly string[];
  readonly architecture?: string;
}

const created = (age: number | undefined): Record<string, string> =>
  age === undefined ? {} : { [CREATED]: new Date(Date.now() - age * DAY).toISOString() };

/** Stores the image of one platform, under no tag. */
export const putImage = async (
  to: Repository,
  name: string,
  { age, layers = [name], architecture = 'amd64' }: Written = {},
) => {
  const config = JSON.stringify({
    architecture,
    os: 'linux',
    name,
    rootfs: { type: 'layers', diff_ids: layers.map((one) => digestOf(tarOf(one))) },
  });
  const configured = await put(to, config, MEDIA_TYPE.config);
  const parts: Descriptor[] = [];
  for (const layer of layers) parts.push(await put(to, gzipSync(tarOf(layer)), MEDIA_TYPE.layerGzip));
  const manifest = stored(manifestBytes(configured, parts, created(age)));
  await to.putManifest(manifest);
  return manifest;
};

/** Stores an index over images of two platforms, under no tag. */
export const putIndex = async (to: Repository, name: string, { age, layers = [name] }: Written = {}) => {
  const entries: Descriptor[] = [];
  const images: StoredManifest[] = [];
  for (const architecture of ['amd64', 'arm64']) {
    const image = await putImage(to, `${name} ${architecture}`, {
      age,
      layers: [...layers, `${name} ${architecture}`],
      architecture,
    });
    images.push(image);
    entries.push({ ...descriptorOf(image), platform: { os: 'linux', architecture } });
  }
  const index = stored(indexBytes(entries, created(age)), MEDIA_TYPE.index);
  await to.putManifest(index);
  return { index, images };
};

/** Stores what refers to a manifest, under no tag. */
export const putReferrer = async (to: Repository, subject: StoredManifest, name: string) => {
  const config = await put(to, '{}', 'application/vnd.oci.empty.v1+json');
  const layer = await put(to, name, 'application/spdx+json');
  const content = JSON.parse(manifestBytes(config, [layer], {}).toString());
  const bytes = Buffer.from(
    JSON.stringify({ ...content, artifactType: 'application/spdx+json', subject: descriptorOf(subject) }),
  );
  const manifest = stored(bytes);
  await to.putManifest(manifest);
  return manifest;
};

/** Lists referrers under the tag of their subject, as clients do where a registry has no list of its own. */
export const listUnderTag = async (to: Repository, subject: StoredManifest, referrers: readonly StoredManifest[]) => {
  const entries = referrers.flatMap((one) => referrerOf(one)?.descriptor ?? []);
  const list = stored(indexBytes(entries, {}), MEDIA_TYPE.index);
  await to.tag(referrersTag(subject.digest), list);
  return list;
};

/** A policy as people write it; ages in days. */
export const policyOf = (text: {
  readonly keepLast?: string;
  readonly maxAge?: string;
  readonly keepTags?: string;
  readonly untagged?: number;
  readonly closedPreviews?: boolean;
  readonly keepHistory?: number;
}): Policy => ({
  keepLast: text.keepLast === undefined ? [] : [parseKeepLast(text.keepLast)],
  maxAge: text.maxAge === undefined ? [] : [parseMaxAge(text.maxAge)],
  keepTags: text.keepTags === undefined ? [] : [parseTagPattern(text.keepTags)],
  untagged: text.untagged === undefined ? undefined : text.untagged * DAY,
  closedPreviews: text.closedPreviews ?? false,
  keepHistory: text.keepHistory ?? 1,
});

/** Pull requests of these numbers are open, all others closed. */
export const openPulls =
  (...open: readonly number[]): AskPulls =>
  async (numbers) =>
    new Map(numbers.map((number): [number, PullState] => [number, open.includes(number) ? 'open' : 'closed']));

interface RunOptions {
  readonly askPulls?: AskPulls;
  readonly limit?: number;
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

/** Applies a policy to a place. */
export const run = (
  place: PrunePlace,
  deps: TestDeps,
  policy: Parameters<typeof policyOf>[0],
  { askPulls = openPulls(), limit = 1000, force = false, dryRun = false }: RunOptions = {},
): Promise<Pruned> =>
  prunePlace(place, { policy: policyOf(policy), askPulls, limit, force, dryRun, log: deps.log, clock: deps.clock });

export interface Scene {
  readonly registry: RegistryEmulator;
  readonly to: Repository;
  readonly deps: TestDeps;
  readonly place: PrunePlace;
  /** Tags of the repository. */
  tags(): string[];
  has(manifest: StoredManifest): boolean;
}

/** An emulated registry with one repository, and the place to prune there. */
export const scene = async (options: EmulatorOptions = {}): Promise<Scene> => {
  const registry = await startEmulator(options);
  onTestFinished(() => registry.stop());
  const deps = testDeps();
  const reference = parseReference(`${registry.host}/${REPOSITORY}`);
  // What others have pushed: this run must not wait for it to appear.
  const { repository: to } = openForRemoval(reference, testDeps());
  const { repository, removal } = openForRemoval(reference, deps);
  const place = new RegistryPlace({ repository, removal, log: deps.log, run: 'a run' });
  const tags = () => [...registry.store.tags(REPOSITORY).keys()];
  return {
    registry,
    to,
    deps,
    place,
    tags,
    has: ({ digest }) => registry.store.manifest(REPOSITORY, digest) !== undefined,
  };
};

/** Digests of what a run removed. */
export const removedBy = ({ outcomes }: Pruned): Digest[] =>
  outcomes.flatMap(({ decision, kind }) => (decision.goes && kind === 'removed' ? [decision.item.id as Digest] : []));

/** A place in which something happens right before the removal of a number. */
export const disturbed = (place: PrunePlace, at: number, happens: () => Promise<void>): PrunePlace => {
  let removals = 0;
  return new Proxy(place, {
    get: (target, name) => {
      const value = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return async (...given: unknown[]) => {
        if (name === 'removeItem' || name === 'removeNames') {
          if (removals === at) await happens();
          removals += 1;
        }
        return await value.apply(target, given);
      };
    },
  });
};
