import type { Effects } from '../core/effects.ts';
import type { Gate } from '../core/gate.ts';
import type { Log } from '../core/log.ts';
import { timed } from '../core/span.ts';
import type { Definition } from '../definition/definition.ts';
import { pathInStore } from '../layer/inside-store.ts';
import type { Evaluated } from '../nix/found-image.ts';
import { withGcRoots } from '../nix/gc-roots.ts';
import type { Nix } from '../nix/nix.ts';
import { realiseHere } from '../nix/realise.ts';
import type { ToolImage } from '../nix/tool-image.ts';
import type { Origin } from '../oci/origin.ts';
import type { System } from '../oci/system.ts';
import type { Repository } from '../storage/destination.ts';
import type { Follower } from '../storage/follower.ts';
import type { Location } from '../storage/location.ts';
import type { OpenedImage } from '../storage/source.ts';
import type { ImageToTest } from '../test-run/load-image.ts';
import { NO_TEST_RUN, type TestRun } from '../test-run/test-run.ts';
import type { RoundMember } from './build-round.ts';
import { builtKind } from './built-kind.ts';
import { openArchiveImage } from './from-archive.ts';
import { type Building, fetchBase, readImageClosure } from './from-definition/image-closure.ts';
import { openDefinition } from './from-definition/open-definition.ts';
import { openLayerList } from './from-nix2container/layer-list.ts';
import { openStream } from './from-stream.ts';
import type { BuiltImage, Image } from './image.ts';
import type { Journal } from './journal.ts';
import type { ReadPrevious } from './previous-image.ts';
import { createReuse, type Reuse } from './reuse.ts';
import type { SharedLayers } from './shared-layers.ts';
import { writeImage } from './write-image.ts';

interface BuildOptions {
  /** What images before hold; see `previousImages`. */
  readonly readPrevious: ReadPrevious;
  /** What an interrupted publish left; see `openJournal`. */
  readonly journal: Journal;
  /** Whether layers are made again although they could be reused. */
  readonly recompress: boolean;
  /** What the image says of the run that makes it, unless it is published already and keeps its own. */
  readonly origin: Origin;
  /** Get the layers as they are sent to the destinations. */
  readonly followers?: readonly Follower[];
}

/** What making the parts of an image available asks of the world. */
export interface RealiseTools extends Pick<Effects, 'exec' | 'log' | 'signal' | 'tempDir'> {
  readonly nix: Nix;
  readonly openForReading: (place: Location) => Promise<OpenedImage>;
  /** Waits until it may have Nix build. Default: at once. */
  readonly building?: Building | undefined;
  /** The images that are built with this one, where there are others. */
  readonly round?: RoundMember | undefined;
}

export interface BuildTools extends RealiseTools, Pick<Effects, 'clock'> {
  /** What the images that this process builds share. */
  readonly shared: SharedLayers;
  /** Runs the tests that a definition declares. */
  readonly runTests: (definition: Definition, image: ImageToTest) => Promise<TestRun>;
}

interface TestedImage {
  readonly image: BuiltImage;
  readonly testRun: TestRun;
}

/**
 * One build job, of an image from any source: it is realised, written to every destination, where it is by digest and under
 * no tag, and its tests are run on what is at the first. A failed test is a result. Throws UserError `build` and `system` as Nix does,
 * and what opening, writing and testing an image throw.
 */
export async function buildAndTest(
  evaluated: Evaluated,
  destinations: readonly Repository[],
  options: BuildOptions,
  tools: BuildTools,
): Promise<TestedImage> {
  const image = await build(evaluated, destinations, options, tools);
  const [repository] = destinations;
  if (evaluated.kind === 'tool-image' || !repository) return { image, testRun: NO_TEST_RUN };
  const runTests = () => tools.runTests(evaluated.definition, { ...image, repository });
  return { image, testRun: await inTurn(tools.round?.testing, runTests) };
}

/** Builds an image; nothing of it is collected meanwhile. */
function build(
  evaluated: Evaluated,
  destinations: readonly Repository[],
  { readPrevious, journal, recompress, origin, followers = [] }: BuildOptions,
  tools: BuildTools,
): Promise<BuiltImage> {
  const { name, system } = evaluated;
  return withGcRoots(async (gcRootDir) => {
    // The registry answers while Nix works.
    const reading = readPrevious(system);
    reading.catch(() => undefined);
    if (evaluated.kind === 'tool-image') noteRegistry(evaluated.toolImage, tools.log);
    const { round, log } = tools;
    const inGroup: Building = (work) => log.group(`Realising ${name} for ${system}`, work);
    const open = round
      ? await realiseImage(evaluated, gcRootDir, {
          ...tools,
          building: (work) => round.realising.run(() => inGroup(work)),
        })
      : await inGroup(() => realiseImage(evaluated, gcRootDir, tools));
    const reuse = createReuse(await reading, journal, { recompress });
    const write = async (image: Image): Promise<BuiltImage> => {
      try {
        return await writeImage(image, destinations, { ...tools, reuse, origin, followers });
      } finally {
        await image.close();
      }
    };
    if (!round) {
      return log.group(`Making the layers of ${name} for ${system}`, async () => write(await open(reuse)));
    }
    const making = { track: 'steps', name: `Making the layers of ${name}`, facts: { system } } as const;
    if (evaluated.kind === 'definition') {
      const image = await open(reuse);
      return round.writingPlanned.run(() => timed(log, making, () => write(image)));
    }
    return round.writing.run(() => timed(log, making, async () => write(await open(reuse))));
  }, tools.tempDir);
}

const inTurn = <T>(gate: Gate | undefined, work: () => Promise<T>): Promise<T> => (gate ? gate.run(work) : work());

function noteRegistry({ name, registry }: ToolImage, log: Log): void {
  if (registry === null) return;
  log.info(`${name}: the registry ${registry} in its imageName is left out; --to says where it goes`);
}

/** Has Nix make available what an image is made of; what comes back opens it. Throws UserError `build` and `system` as Nix does. */
export async function realiseImage(
  evaluated: Evaluated,
  gcRootDir: string,
  tools: RealiseTools,
): Promise<(reuse: Reuse) => Promise<Image>> {
  const { nix, round, building = (work) => work() } = tools;
  const { system } = evaluated;
  if (evaluated.kind === 'definition') {
    const { definition } = evaluated;
    await fetchBase(nix, definition, gcRootDir, building);
    const closure = await (round ? round.closure(definition) : readImageClosure(nix, definition, gcRootDir, building));
    return (reuse) => openDefinition({ definition, system, closure, gcRootDir }, reuse, tools);
  }
  const { toolImage } = evaluated;
  await building(() => realiseHere(nix, [toolImage], { gcRootDir }));
  return () => openToolImage(toolImage, system, tools);
}

/** Opens what another tool made. Marks of archives and scripts may contradict each other, so the file itself goes first. */
async function openToolImage(toolImage: ToolImage, system: System, tools: RealiseTools): Promise<Image> {
  if (toolImage.kind === 'nix2container') return openLayerList(toolImage, system);
  const kind = (await builtKind(pathInStore(toolImage.outPath))) ?? toolImage.kind;
  return kind === 'stream'
    ? openStream(toolImage, system, tools)
    : openArchiveImage(toolImage, system, tools.tempDir, tools.signal);
}
