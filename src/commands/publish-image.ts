import type { Host } from '../host/host.ts';
import { buildAndTest } from '../image/build-and-test.ts';
import { NO_JOURNAL } from '../image/journal.ts';
import type { Nix } from '../nix/nix.ts';
import { parseReference } from '../oci/reference.ts';
import { checkFixedTags } from '../publish/fixed-tags.ts';
import { isOtherIndex, liveIndex } from '../publish/live-index.ts';
import type { RunIdentity } from '../publish/newer-run.ts';
import {
  alreadyPublishedImage,
  handedOverImage,
  justBuiltImage,
  type PlatformImage,
} from '../publish/platform-image.ts';
import type { PlatformInput } from '../publish/platform-input.ts';
import { type PublishedIndex, publishIndex, publishLive } from '../publish/publish-index.ts';
import { LostError } from '../publish/read-back.ts';
import {
  checkFileDestinations,
  checkRoom,
  chooseTags,
  filesFirst,
  mergeTargets,
  type PublishedTarget,
  publishedTarget,
  type Target,
} from '../publish/target.ts';
import type { Location } from '../storage/location.ts';
import { type LocationTemplate, locationOf } from '../storage/location-template.ts';
import { readTagsOnce } from '../storage/read-tag.ts';
import { testError } from '../test-run/report.ts';
import { failedTests, testRecord } from '../test-run/test-run.ts';
import { buildTools } from './build-tools.ts';
import { checkLogin } from './check-login.ts';
import { checkTestable, checkTestsRan, declaresTests, type TestInputs } from './image-tests.ts';
import { inFolder, type Places } from './places.ts';
import { type ReuseInputs, type ReuseSources, reuseOf } from './reuse.ts';
import type { AskedTags } from './tags.ts';
import { type PackageVisibility, packageVisibility } from './visibility.ts';

/** What every image of one run is published with. */
export interface Publishing extends ReuseInputs, TestInputs {
  /** Tags to move; undefined for the image's own. */
  readonly tags: AskedTags | undefined;
  /** Whether nothing is believed: everything is asked for again before a tag moves. */
  readonly verify: boolean;
  /** Whether a tag is moved although a newer run of the repository has moved it. */
  readonly moveBack: boolean;
  /** Hosts that are spoken to without TLS. */
  readonly plainHttp: readonly string[];
  readonly places: Places;
  readonly host: Host;
  readonly nix: () => Promise<Nix>;
}

export interface PublishedImage {
  readonly name: string;
  readonly published: Pick<PublishedIndex, 'index' | 'platforms'>;
  readonly targets: readonly PublishedTarget[];
  /** Who may pull it at ghcr.io, as far as that is known. */
  readonly packages: readonly PackageVisibility[];
}

/**
 * Publishes the parts of one image, which are complete, as one index at every destination. Throws UserError as
 * `publishIndex` and the builds do; temporary files are gone then.
 */
export async function publishImage(
  image: { readonly name: string; readonly tag: string | null },
  parts: readonly PlatformInput[],
  to: readonly LocationTemplate[],
  publishing: Publishing,
): Promise<PublishedImage> {
  const { host, places } = publishing;
  const destinations = destinationsOf(image.name, to, host);
  const targets = targetsOf(image, parts.length, destinations, publishing);
  const { log, signal } = host;
  const { verify } = publishing;
  try {
    const isFixed = await places.prepare(destinations);
    for (const part of parts) checkHanded(part, publishing);
    const read = readTagsOnce();
    const live = mayBelieve(parts, publishing) ? await liveIndex(parts, targets, read, log) : undefined;
    const run = publishing.moveBack ? undefined : runOf(host);
    if (live) {
      const left = await publishLive(live, targets, { read, run, log });
      await places.show(destinations, live.index);
      return await publishedImage(image.name, left, targets, publishing);
    }
    await checkFixedTags(targets, { isFixed, isOther: (index) => isOtherIndex(index, parts), read, run });
    if (parts.some(({ kind }) => kind === 'job')) await checkLogin(targets, read, places);
    for (const part of parts) if (part.kind === 'job') await checkTestable(part.evaluated, publishing, host);
    const reuse = await reuseOf(publishing, targets, { places, host }, read);
    const publishWith = async (how: ReuseSources): Promise<PublishedIndex> =>
      publishIndex(await childrenOf(parts, targets, how, publishing), targets, {
        verify,
        read,
        run,
        log,
        signal,
      });
    const published = await publishWith(reuse).catch((error: unknown) => {
      if (!(error instanceof LostError)) throw error;
      // A blob behind a live manifest is gone: nothing is believed any more, everything is made and asked for.
      host.log.warn(`${error.message}; making all layers again`);
      return publishWith({ ...reuse, journal: NO_JOURNAL, recompress: true });
    });
    await reuse.journal.clear();
    await places.show(destinations, published.index);
    return await publishedImage(image.name, published, targets, publishing);
  } catch (error) {
    if (host.signal.aborted)
      host.log.warn('interrupted: blobs that were sent stay where they are, for the next publish');
    await Promise.all(targets.map(({ repository }) => repository.abandon()));
    throw error;
  }
}

/** With the tags that mean it now, and not those that were left alone. */
async function publishedImage(
  name: string,
  { left, ...published }: PublishedIndex,
  targets: readonly Target[],
  { plainHttp, host }: Pick<Publishing, 'plainHttp' | 'host'>,
): Promise<PublishedImage> {
  const moved = targets.map((target) => {
    const here = left.filter(({ repository }) => repository === target.repository);
    return publishedTarget(
      target,
      here.map(({ tag }) => tag),
    );
  });
  const packages = await packageVisibility({ targets: moved, digest: published.index.digest, plainHttp }, host);
  return { name, published, targets: moved, packages };
}

/** This run, as the images that it makes name it; undefined outside a workflow. */
function runOf({ kind, env }: Host): RunIdentity | undefined {
  const [server, repository, id] = [env('GITHUB_SERVER_URL'), env('GITHUB_REPOSITORY'), env('GITHUB_RUN_ID')];
  return kind === 'runner' && server && repository && id ? { id, source: `${server}/${repository}` } : undefined;
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

function destinationsOf(name: string, to: readonly LocationTemplate[], { cwd }: Host): Location[] {
  const asked = to.length > 0 ? to.map((template) => locationOf(template, name)) : [defaultDestination(name)];
  return filesFirst(asked).map((destination) => inFolder(destination, cwd));
}

function targetsOf(
  { name, tag }: { readonly name: string; readonly tag: string | null },
  platforms: number,
  destinations: readonly Location[],
  { places, tags }: Publishing,
): Target[] {
  checkRoom(destinations, platforms);
  checkFileDestinations(destinations);
  const imageName = parseReference(name);
  return mergeTargets(
    destinations.map((destination) => ({
      repository: places.openForWriting(destination, imageName),
      kind: destination.kind,
      tags: chooseTags(destination, tags?.of(name) ?? [], tag),
    })),
  );
}

/** Builds one system after another: each keeps all cores busy by itself, and its bytes are counted apart. */
async function childrenOf(
  parts: readonly PlatformInput[],
  targets: readonly Target[],
  reuse: ReuseSources,
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
    } else {
      const before = sent();
      const tools = await buildTools(host, await nix(), places, publishing);
      // Its tests run on what is at the first of them: files, which come first, cost no network.
      const { image, testRun } = await buildAndTest(part.evaluated, repositories, reuse, tools);
      if (failedTests(testRun).length > 0) throw testError(part.name, testRun);
      images.push(justBuiltImage(image, sent() - before, testRecord(testRun)));
    }
  }
  return images;
}

/** The last part of an image's name is a folder here: `oci:app`. */
const defaultDestination = (name: string): Location => ({
  kind: 'oci',
  path: name.slice(name.lastIndexOf('/') + 1),
});
