import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import { prefixed } from '../core/log.ts';
import type { OnceEach } from '../core/once-each.ts';
import type { Host } from '../host/host.ts';
import type { RoundMember } from '../image/build-round.ts';
import { NO_JOURNAL } from '../image/journal.ts';
import type { Nix } from '../nix/nix.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { ImageLine } from '../publish/destination-line.ts';
import { checkFixedTags } from '../publish/fixed-tags.ts';
import { isOtherIndex, liveIndex } from '../publish/live-index.ts';
import { failedTarget, type OptionalTargets } from '../publish/optional-targets.ts';
import {
  alreadyPublishedImage,
  handedOverImage,
  justBuiltImage,
  justMadeImage,
  type PlatformImage,
} from '../publish/platform-image.ts';
import { isDiskPart, type PlatformInput } from '../publish/platform-input.ts';
import { type PublishedIndex, publishIndex, publishLive } from '../publish/publish-index.ts';
import { LostError } from '../publish/read-back.ts';
import {
  checkTakesDisks,
  type PublishedTarget,
  publishedTarget,
  type Target,
  type WhyLeft,
} from '../publish/target.ts';
import type { Repository } from '../storage/destination.ts';
import type { Follower } from '../storage/follower.ts';
import { readTagsOnce } from '../storage/read-tag.ts';
import { testError } from '../test-run/report.ts';
import { failedTests, testRecord } from '../test-run/test-run.ts';
import { besideTargets } from './beside-targets.ts';
import { buildAny } from './build-any.ts';
import { buildTools, sharedLayers } from './build-tools.ts';
import { tellImage } from './built-images.ts';
import { checkLogin, checkMayWrite } from './check-login.ts';
import type { FilesPlaces } from './files-places.ts';
import { startedRun } from './github.ts';
import { checkTestable, declaresTests } from './image-tests.ts';
import type { Places } from './places.ts';
import { type ImageTarget, targetsOf } from './publish-targets.ts';
import { type ReuseInputs, type ReuseSources, reuseOf } from './reuse.ts';
import type { RunTags } from './tags.ts';
import { checkTestsRan, type TestInputs } from './tests-ran.ts';
import { type PackageVisibility, packageVisibility } from './visibility.ts';

/** What every image of one run is published with. */
export interface Publishing extends ReuseInputs, TestInputs {
  /** Tags to move, destination by destination. */
  readonly tags: RunTags;
  /** The destinations that may fail, over all images. */
  readonly optional: OptionalTargets;
  /** Whether nothing is believed: everything is asked for again before a tag moves. */
  readonly verify: boolean;
  /** Whether a tag is moved although a newer run of the repository has moved it. */
  readonly moveBack: boolean;
  /** Why a tag is not to be moved; undefined where all may be. */
  readonly whyLeft: WhyLeft | undefined;
  /** Hosts that are spoken to without TLS. */
  readonly plainHttp: readonly string[];
  readonly places: Places;
  /** Layers that are copied, over all images. */
  readonly copies: OnceEach<void>;
  /** Places of files, over all images. */
  readonly files: FilesPlaces;
  readonly host: Host;
  readonly nix: () => Promise<Nix>;
  /** The parts that are built at the same time as those of other images. Default: none. */
  readonly members?: ReadonlyMap<PlatformInput, RoundMember>;
}

export interface PublishedImage {
  readonly name: string;
  /** What became of a disk, where it is no artifact. */
  readonly form?: 'container-disk';
  readonly published: Pick<PublishedIndex, 'index' | 'platforms'>;
  readonly targets: readonly PublishedTarget[];
  /** Who may pull it at ghcr.io, as far as that is known. */
  readonly packages: readonly PackageVisibility[];
}

/** An image that is published wherever it must be. */
export interface Publication {
  readonly image: Omit<PublishedImage, 'packages'>;
  /** Until the tags that have moved stay; what it rejects with is this image's failure. */
  readonly settled: Promise<void>;
  /** What becomes of the destinations that may fail, which nobody waits for meanwhile; rejects only when cancelled. */
  readonly rest: Promise<readonly PublishedTarget[]>;
}

interface NamedImage {
  readonly name: string;
  readonly tag: string | null;
}

/** The image with all of its destinations, when its tags stay, and who may pull it there. Throws UserError as `settleTags`. */
export async function completed(
  { image, settled, rest }: Publication,
  { plainHttp, host }: Pick<Publishing, 'plainHttp' | 'host'>,
): Promise<PublishedImage> {
  const targets = [...image.targets, ...(await rest)];
  const there = targets.filter(({ failure }) => failure === undefined);
  const asked = { targets: there, digest: image.published.index.digest, plainHttp };
  const [packages] = await Promise.all([packageVisibility(asked, host), settled]);
  return { ...image, targets, packages };
}

/**
 * Publishes the parts of one image, which are complete, as one index at every destination. Where all of them may fail, one
 * after the other is tried, for one has to hold it. Throws UserError as `publishIndex` and the builds do; temporary files
 * are gone then, and no tag has moved at those that may fail.
 */
export async function publishImage(
  image: NamedImage,
  parts: readonly PlatformInput[],
  to: readonly ImageLine[],
  publishing: Publishing,
): Promise<Publication> {
  const open = (): ImageTarget[] => targetsOf(image, parts.length, to, publishing);
  const all = open();
  const required = all.filter(({ mayFail }) => !mayFail);
  const isOptional = ({ mayFail }: ImageTarget): boolean => mayFail;
  if (required.length > 0) return publishTo(image, parts, { required, optional: all.filter(isOptional) }, publishing);
  const failed: PublishedTarget[] = [];
  for (const [at, target] of all.entries()) {
    try {
      const [first = target, ...optional] = open().slice(at);
      const { image: done, ...later } = await publishTo(image, parts, { required: [first], optional }, publishing);
      return { image: { ...done, targets: [...done.targets, ...failed] }, ...later };
    } catch (error) {
      if (!(error instanceof UserError) || !OF_A_PLACE.includes(error.code) || at === all.length - 1) throw error;
      failed.push(failedTarget(target, error, publishing.host.log));
    }
  }
  throw new UserError('input', `${image.name} has no destination`, { hint: 'Name one with --to.' });
}

/** Errors that another destination may not have. */
const OF_A_PLACE: readonly string[] = ['registry', 'credentials', 'file'];

interface SplitTargets {
  readonly required: readonly ImageTarget[];
  readonly optional: readonly ImageTarget[];
}

async function publishTo(
  image: NamedImage,
  parts: readonly PlatformInput[],
  { required, optional }: SplitTargets,
  publishing: Publishing,
): Promise<Publication> {
  const { host, places, verify } = publishing;
  const { log, signal } = host;
  const run = publishing.moveBack ? undefined : await startedRun(host);
  const beside = besideTargets(optional, publishing);
  const locations = required.map(({ location }) => location);
  const publicationOf = async (published: PublishedIndex): Promise<Publication> => {
    const rest = beside.publish(published.index, sourceOf(required), { verify, run, log, clock: systemClock, signal });
    await places.show(locations, published.index);
    return { image: publishedImage(image.name, published, required), settled: published.settled, rest };
  };
  try {
    await using opened = new AsyncDisposableStack();
    const isFixed = await places.prepare(locations);
    if (parts.some((part) => isDiskPart(part) === true)) checkTakesDisks(locations);
    for (const part of parts) checkHanded(part, publishing);
    const read = readTagsOnce();
    const live = mayBelieve(parts, publishing) ? await liveIndex(parts, required, read, log) : undefined;
    if (live)
      return await publicationOf(await publishLive(live, required, { read, run, log, clock: systemClock, signal }));
    await checkFixedTags(required, { isFixed, isOther: (index) => isOtherIndex(index, parts), read, run });
    if (parts.some(({ kind }) => kind === 'job')) {
      await checkLogin(required, read, places);
      await checkMayWrite(required);
    }
    for (const part of parts) if (part.kind === 'job') await checkTestable(part.evaluated, publishing, host);
    const reuse = await reuseOf(publishing, required, { places, host, opened }, read);
    const { followers } = beside;
    const beforeTags = areArchives(required)
      ? (index: StoredManifest) => beside.copyNow(index, sourceOf(required), signal)
      : undefined;
    const publishWith = async (how: ReuseSources): Promise<PublishedIndex> =>
      publishIndex(await childrenOf(parts, required, { ...how, followers }, publishing), required, {
        verify,
        read,
        run,
        followers,
        copies: publishing.copies,
        ...(beforeTags ? { beforeTags } : {}),
        log,
        clock: systemClock,
        signal,
      });
    const published = await publishWith(reuse).catch((error: unknown) => {
      if (!(error instanceof LostError)) throw error;
      // A blob behind a live manifest is gone: nothing is believed any more, everything is made and asked for.
      host.log.warn(`${error.message}; making all layers again`);
      sharedLayers(host).forget(() => true);
      return publishWith({ ...reuse, journal: NO_JOURNAL, recompress: true });
    });
    await reuse.journal.clear();
    return await publicationOf(published);
  } catch (error) {
    if (host.signal.aborted)
      host.log.warn('interrupted: blobs that were sent stay where they are, for the next publish');
    await Promise.all(required.map(({ repository }) => repository.abandon()));
    await beside.stop();
    throw error;
  }
}

/** What is read for those that have not got everything: what costs no network, if there is such a one. */
function sourceOf(targets: readonly ImageTarget[]): Repository {
  const source = targets.find(({ kind }) => kind === 'oci') ?? targets.find(({ kind }) => kind === 'registry');
  const [first] = targets;
  const { repository } = source ?? first ?? {};
  if (repository === undefined) throw new RangeError('an image is published somewhere');
  return repository;
}

/** Archives cannot be read any more when they are at their place. */
const areArchives = (targets: readonly ImageTarget[]): boolean =>
  targets.every(({ kind }) => kind === 'oci-archive' || kind === 'docker-archive');

/** With the tags that mean it now, and not those that were left alone. */
function publishedImage(
  name: string,
  { left, index, platforms }: PublishedIndex,
  targets: readonly Target[],
): Publication['image'] {
  const moved = targets.map((target) => {
    const here = left.filter(({ repository }) => repository === target.repository);
    return publishedTarget(
      target,
      here.map(({ tag }) => tag),
    );
  });
  return { name, published: { index, platforms }, targets: moved };
}

/**
 * Whether an index that is live may be believed to be what this publish would write. Tests that are required must run,
 * whether they have passed before or not.
 */
function mayBelieve(parts: readonly PlatformInput[], { verify, reuse, recompress, requireTests }: Publishing): boolean {
  const hasTests = parts.some((part) => part.kind === 'job' && declaresTests(part.evaluated));
  return reuse && !verify && !recompress && !(requireTests && hasTests);
}

function checkHanded(part: PlatformInput, publishing: Publishing): void {
  if (part.kind !== 'handover') return;
  const { label, origin } = part.handover;
  checkTestsRan(`${label.name} for ${label.system}, handed over in ${origin}`, label.tests.notRun, publishing);
}

/** Builds one system after another: each keeps all cores busy by itself, and its bytes are counted apart. */
async function childrenOf(
  parts: readonly PlatformInput[],
  targets: readonly Target[],
  reuse: ReuseSources & { readonly followers: readonly Follower[] },
  publishing: Publishing,
): Promise<PlatformImage[]> {
  const { host, places, nix } = publishing;
  const repositories = targets.map((target) => target.repository);
  const sent = (): number => repositories.reduce((sum, repository) => sum + repository.bytesSent, 0);
  const images: PlatformImage[] = [];
  for (const part of parts) {
    if (part.kind === 'handover') {
      images.push(await handedOverImage(part.handover, places.openForReading));
    } else if (part.kind === 'published') {
      images.push(await alreadyPublishedImage(part));
    } else if (part.kind === 'made') {
      const before = sent();
      images.push(justMadeImage(part, await part.make(repositories), sent() - before));
    } else {
      const before = sent();
      const round = publishing.members?.get(part);
      const log = round ? prefixed(host.log, part.name) : host.log;
      const tools = { ...(await buildTools(host, await nix(), places, publishing)), round, log };
      // Its tests run on what is at the first of them: files, which come first, cost no network.
      tellImage(host, part.evaluated);
      const { image, testRun } = await buildAny(part.evaluated, repositories, reuse, tools);
      if (failedTests(testRun).length > 0) throw testError(part.name, testRun);
      images.push(justBuiltImage(image, sent() - before, testRecord(testRun)));
    }
  }
  return images;
}
