import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import { OnceEach } from '../core/once-each.ts';
import { mapParallel } from '../core/parallel.ts';
import { timed } from '../core/span.ts';
import { withoutOwn } from '../definition/layer-record.ts';
import type { LayerOutcome } from '../image/layer-outcome.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestOf } from '../oci/digest.ts';
import { indexBytes } from '../oci/manifest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import { newestRun, type StartedRun } from '../oci/newer-run.ts';
import { ORIGIN_ANNOTATION } from '../oci/origin.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { System } from '../oci/system.ts';
import { checkSizes } from '../storage/blob-limit.ts';
import { type CopyTools, copyBlobToAll } from '../storage/copy.ts';
import type { ImageDestination, Repository } from '../storage/destination.ts';
import type { Follower } from '../storage/follower.ts';
import type { ReadTag } from '../storage/read-tag.ts';
import type { ImageSource } from '../storage/source.ts';
import type { TestRecord } from '../test-run/test-run.ts';
import type { LiveIndex } from './live-index.ts';
import { lookAtTags } from './move-tags.ts';
import { indexEntry, type PlatformImage } from './platform-image.ts';
import { readBack } from './read-back.ts';
import { type MovedForward, moveForward } from './settle-tags.ts';
import type { Target } from './target.ts';

/** Blobs copied or looked up at once for each destination: enough to hide the latency of a registry. */
const BLOBS_AT_ONCE = 4;

/** One platform of a published index. */
export interface PublishedPlatform {
  readonly system: System;
  readonly digest: string;
  /** Undefined where it was live already, and nobody asked. */
  readonly layers: readonly Descriptor[] | undefined;
  /** Config of the image; undefined as `layers`. */
  readonly config: Descriptor | undefined;
  /** What became of its tests; null where it was published before, and nobody remembers. */
  readonly tests: TestRecord | null;
  /** Bytes sent for it, over all destinations. */
  readonly bytesSent: number;
  /** What became of each layer, where it was built by this publish. */
  readonly outcomes?: readonly LayerOutcome[] | undefined;
}

export interface PublishedIndex extends MovedForward {
  readonly index: StoredManifest;
  readonly platforms: readonly PublishedPlatform[];
}

/** How an index is published. */
interface PublishOptions extends Pick<Effects, 'log' | 'clock' | 'signal'> {
  /** Whether everything is asked for again before a tag moves, also what the registry has confirmed in this run. */
  readonly verify: boolean;
  /** What tags mean before the publish. */
  readonly read: ReadTag;
  /** This run, before whose time no tag is moved back; undefined where tags may be, or this is not a run. */
  readonly run: StartedRun | undefined;
  /** Get what is copied to the targets as it passes. */
  readonly followers?: readonly Follower[];
  /** Layers that images of the run are copying or have copied, by digest. */
  readonly copies?: OnceEach<void>;
  /** What is to be done when all targets are right, before a tag moves. */
  readonly beforeTags?: (index: StoredManifest) => Promise<void>;
}

/**
 * Assembles the index over `images`, copies everything to every target, reads back there what this run has only
 * believed, and only when all targets are right moves the tags that mean something else: in the targets' order, so those
 * that appear at their place only at `commit` (archives) belong first. Throws UserError: up to the read-back no tag has
 * moved anywhere; where a tag itself is refused, the error says which have.
 */
export async function publishIndex(
  images: readonly PlatformImage[],
  targets: readonly Target[],
  { verify, read, run, followers, copies = new OnceEach(), beforeTags, log, clock, signal }: PublishOptions,
): Promise<PublishedIndex> {
  checkSizes(
    images.filter(({ source }) => source).flatMap(({ parsed }) => parsed.layers),
    targets.map(({ repository }) => repository),
  );
  const index = assembleIndex(images);
  const moves = await lookAtTags(targets, read, run);
  const repositories = targets.map(({ repository }) => repository);
  const sum = (): number => repositories.reduce((bytes, { bytesSent }) => bytes + bytesSent, 0);
  const sent = new Map<PlatformImage, number>();
  for (const image of images) {
    const before = sum();
    const copying = { track: 'steps', name: `Completing ${image.system} at every destination` } as const;
    await timed(log, copying, () => copyToAll(image, repositories, { signal, followers }, copies));
    sent.set(image, image.bytesSent + sum() - before);
  }
  for (const { repository, kind } of targets) {
    // What a tag there means already is there.
    const isTagged = moves.some((move) => move.repository === repository && move.before === index.digest);
    // Files cost no request, so all of them is looked at.
    const all = verify || kind !== 'registry';
    const asked = images.filter(({ live }) => live !== repository.name || all);
    const blobs = asked.flatMap(({ parsed }) => [parsed.config, ...parsed.layers]);
    await timed(
      log,
      { track: 'steps', name: 'Writing and verifying the index', facts: { at: repository.name } },
      async () => {
        if (verify || kind !== 'registry' || !isTagged) await repository.putManifest(index);
        await readBack([index, ...images.map((image) => image.manifest)], blobs, repository, all);
      },
    );
    log.info(`${repository.name}: verified ${index.digest}`);
  }
  // Layouts and archives know no signal: without this, Ctrl-C before the last step would not keep a tag from moving.
  signal.throwIfAborted();
  await beforeTags?.(index);
  const moved = await timed(log, { track: 'steps', name: 'Moving tags' }, () =>
    moveForward(targets, moves, index, { run, log, clock, signal }),
  );
  return { index, platforms: images.map((image) => platformAt(image, sent.get(image) ?? 0)), ...moved };
}

const platformAt = (
  { system, manifest, parsed: { layers, config }, tests, outcomes }: PlatformImage,
  bytesSent: number,
): PublishedPlatform => ({ system, digest: manifest.digest, layers, config, tests, bytesSent, outcomes });

/** An index that is live already: the tags that mean something else are moved, and nothing else is asked or sent. */
export async function publishLive(
  { index, manifests }: LiveIndex,
  targets: readonly Target[],
  { read, run, log, clock, signal }: Pick<PublishOptions, 'read' | 'run' | 'log' | 'clock' | 'signal'>,
): Promise<PublishedIndex> {
  for (const { repository } of targets) log.info(`${repository.name}: ${index.digest} is already live`);
  const moves = await lookAtTags(targets, read, run);
  const moved = await moveForward(targets, moves, index, { run, log, clock, signal });
  const unknown = { layers: undefined, config: undefined, tests: null, bytesSent: 0 };
  return { index, platforms: manifests.map((manifest) => ({ ...manifest, ...unknown })), ...moved };
}

/** The index's bytes depend on its images alone: an annotation that all of them have, it has too. */
function assembleIndex(images: readonly PlatformImage[]): StoredManifest {
  const run = newestRun(images.map(({ parsed }) => parsed.annotations ?? {}));
  const [first, ...others] = images.map((image) => withoutOwn(image.parsed.annotations));
  const shared = Object.entries(first ?? {}).filter(([key, value]) =>
    others.every((annotations) => annotations[key] === value),
  );
  const annotations = { ...Object.fromEntries(shared), ...(run === undefined ? {} : { [ORIGIN_ANNOTATION.run]: run }) };
  // Docker's list cannot hold OCI's manifests, but OCI's index can hold Docker's.
  const isDocker = images.every(({ manifest }) => manifest.mediaType === MEDIA_TYPE.dockerManifest);
  const mediaType = isDocker ? MEDIA_TYPE.dockerIndex : MEDIA_TYPE.index;
  const bytes = indexBytes(images.map(indexEntry), annotations, mediaType);
  return { bytes, mediaType, digest: digestOf(bytes) };
}

/** Copies an image to where it is not yet; each blob is read once, and waits for another image that is copying the same one. */
async function copyToAll(
  image: PlatformImage,
  all: readonly Repository[],
  tools: CopyTools,
  copies: OnceEach<void>,
): Promise<void> {
  const { source, parsed } = image;
  const to = all.filter(({ name }) => image.live !== name);
  if (!source || to.length === 0) return;
  await mapParallel(parsed.layers, BLOBS_AT_ONCE, async (layer) => {
    if (source.layers !== source.rest) {
      for (const one of to) if (await isGone(layer, source.layers, one)) throw layersGone(image, source.layers);
    }
    const copy = () => copyBlobToAll(layer, source.layers, to, tools);
    // After another image's copy it may be mounted from there.
    if (!(await copies.do(layer.digest, copy)).isOwn) await copy();
  });
  await copyBlobToAll(parsed.config, source.rest, to, tools);
  for (const one of to) await one.putManifest(image.manifest);
}

/** Whether a layer that a build job left in a registry is neither there nor here. */
const isGone = async (layer: Descriptor, left: ImageSource, to: ImageDestination): Promise<boolean> =>
  !(await to.hasBlob(layer)) && (left.name === to.name || !(await left.hasBlob(layer)));

function layersGone(image: PlatformImage, where: ImageSource): UserError {
  const job = image.buildJob === undefined ? 'the build job' : `the build job \`${image.buildJob}\``;
  return new UserError('handover', `${where.name} has lost layers of the image for ${image.system}`, {
    hint: `Run ${job} for ${image.system} again, then this one. Registries that soon remove what no tag names keep it with \`staging-tag: true\`.`,
  });
}
