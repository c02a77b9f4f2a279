import { join } from 'node:path';
import type { UserError } from '../core/error.ts';
import { prefixed } from '../core/log.ts';
import { sizeText } from '../core/size.ts';
import type { Job } from '../github/job.ts';
import { writeHandover } from '../handover/handover.ts';
import type { HandoverLabel } from '../handover/label.ts';
import type { HandoverMode } from '../handover/mode.ts';
import type { Host } from '../host/host.ts';
import type { RoundMember } from '../image/build-round.ts';
import type { BuiltImage } from '../image/image.ts';
import type { PreviousSource } from '../image/previous-image.ts';
import { type EvaluatedAny, isContainerImage } from '../nix/found-image.ts';
import type { Nix } from '../nix/nix.ts';
import type { System } from '../oci/system.ts';
import { chooseTags } from '../publish/target.ts';
import { formatLocation, type Location } from '../storage/location.ts';
import { readTagsOnce } from '../storage/read-tag.ts';
import { testError } from '../test-run/report.ts';
import { failedTests, NO_TESTS, type TestRun, testRecord } from '../test-run/test-run.ts';
import { buildAny, type PlacingChoice } from './build-any.ts';
import { buildTools } from './build-tools.ts';
import { tellImage } from './built-images.ts';
import { checkLogin } from './check-login.ts';
import {
  type Delivered,
  type HandingOver,
  handOverByArtifact,
  handOverInFolder,
  NOT_DELIVERED,
  reportImage,
} from './handing-over.ts';
import type { Places } from './places.ts';
import { type ReuseInputs, reuseOf } from './reuse.ts';
import type { TestInputs } from './tests-ran.ts';

/** An image to build and hand over. */
interface HandoverTask {
  readonly evaluated: EvaluatedAny;
  readonly name: string;
  readonly tag: string | null;
  readonly system: System;
  /** All that the image has. */
  readonly systems: readonly System[];
  readonly mode: HandoverMode;
  /** The registry that gets the layers, in mode `registry`. */
  readonly to: Location | undefined;
  /** Where it will be published, whatever the mode: what is there says where a disk's store paths lie. */
  readonly published: Location | undefined;
  readonly placing: PlacingChoice;
  /** The images that are built with it, where there are others. */
  readonly round: RoundMember | undefined;
}

export interface HandoverInputs extends ReuseInputs, TestInputs {
  readonly out: string | undefined;
  readonly call: string | undefined;
  readonly retentionDays: number | undefined;
  readonly stagingTag: boolean;
}

interface Tools {
  readonly job: Job | undefined;
  readonly host: Host;
  readonly places: Places;
  readonly nix: Nix;
}

export interface MadeHandover {
  readonly image: BuiltImage;
  readonly label: HandoverLabel;
  readonly testRun: TestRun;
  readonly mode: HandoverMode;
  readonly delivered: Delivered;
  readonly bytesSent: number;
  /** Where tests failed: nothing is handed over then. */
  readonly failure?: UserError;
}

/** Builds an image, tries it and hands it over. Throws UserError as the steps do; temporary files are gone then. */
export async function makeHandover(
  { evaluated, name, tag, system, systems, mode, to, published, placing, round }: HandoverTask,
  inputs: HandoverInputs,
  { job, host, places, nix }: Tools,
): Promise<MadeHandover> {
  const label: HandoverLabel = {
    version: 1,
    name,
    tag,
    kind: isContainerImage(evaluated) ? 'container' : 'disk',
    system,
    systems: [...systems],
    mode: to ? 'registry' : 'artifact',
    destination: to ? formatLocation(to) : null,
    run: job ? { id: job.runId, attempt: job.attempt, job: job.job } : null,
    call: inputs.call ?? null,
    tests: NO_TESTS,
  };
  // The others need not wait for layers that are not planned.
  if (evaluated.kind !== 'definition') round?.leave();
  const handover = await handingOver(label, mode, inputs, { job, host, places });
  const layers = to ? places.openForWriting(to) : handover.repository;
  try {
    await using opened = new AsyncDisposableStack();
    if (to) await places.prepare([to]);
    // The fan-in will move these tags; what is under them now is what was published before.
    const before = to ? [{ repository: layers, tags: chooseTags(to, [], tag) }] : [];
    const read = readTagsOnce();
    await checkLogin(before, read, places);
    const reuse = await reuseOf(inputs, before, { places, host, opened }, read);
    const live = to || isContainerImage(evaluated) ? [] : await publishedDisks(published, tag, places, opened);
    const log = round ? prefixed(host.log, name) : host.log;
    const tools = { ...(await buildTools(host, nix, places, inputs)), round, log };
    tellImage(host, evaluated);
    const { image, testRun } = await buildAny(
      evaluated,
      [layers],
      { ...reuse, ...placing, previous: [...reuse.previous, ...live] },
      tools,
    );
    const made = { image, label, testRun, bytesSent: layers.bytesSent };
    if (failedTests(testRun).length > 0) {
      await Promise.all([layers.abandon(), handover.repository.abandon()]);
      return { ...made, mode: 'none', delivered: NOT_DELIVERED, failure: testError(name, testRun) };
    }
    if (to && inputs.stagingTag) await layers.tag(stagingTag(label), image.manifest);
    if (to) await layers.commit();
    const whole = { ...label, tests: testRecord(testRun) };
    await writeHandover(handover.repository, image, whole);
    await reuse.journal.clear();
    if (mode === 'report' && job) await reportImage(image, whole, { job, host, places });
    return { ...made, mode, delivered: await handover.deliver(), bytesSent: layers.bytesSent };
  } catch (error) {
    if (host.signal.aborted)
      host.log.warn(`interrupted: ${sizeText(layers.bytesSent)} already uploaded to ${layers.name}, untagged`);
    await Promise.all([layers.abandon(), handover.repository.abandon()]);
    throw error;
  }
}

function handingOver(
  label: HandoverLabel,
  mode: HandoverMode,
  { out, retentionDays }: Pick<HandoverInputs, 'out' | 'retentionDays'>,
  { job, host, places }: Pick<Tools, 'job' | 'host' | 'places'>,
): HandingOver | Promise<HandingOver> {
  if (job) return handOverByArtifact(label, { mode, retentionDays }, { job, host, places });
  return handOverInFolder(out ?? join('handover', handoverFolder(label)), host, places);
}

/** What the folder of an image's handover is called, where that is not said. */
export const handoverFolder = ({ name, system }: Pick<HandoverLabel, 'name' | 'system'>): string =>
  `${name.replaceAll('/', '-')}-${system}`;

/**
 * What is published of a disk where the handover has its chunks itself: only its positions are of use, for to fetch its chunks takes longer than to
 * make them.
 */
async function publishedDisks(
  published: Location | undefined,
  tag: string | null,
  places: Places,
  opened: AsyncDisposableStack,
): Promise<readonly PreviousSource[]> {
  if (published === undefined) return [];
  const { source } = await places.openForReading(published);
  opened.defer(() => source.close());
  return chooseTags(published, [], tag).map((reference) => ({ source, reference, forAll: false }));
}

/** Named by run, so that two runs at once keep their images apart. */
const stagingTag = ({ system, run }: HandoverLabel): string => `staging-${system}-${run?.id ?? 'local'}`;
