import { countText } from '../core/count.ts';
import { UserError } from '../core/error.ts';
import { sizeText } from '../core/size.ts';
import { SYSTEMS, type System } from '../oci/system.ts';
import { type BatchChoice, batchesOf } from './batches.ts';
import { MOST_OUTPUT_BYTES, outputBytes } from './output-limit.ts';
import { isContainer, isNeeded, type Plan, type PlannedImage, type PlannedJob } from './plan.ts';
import { type RunnerLine, type RunsOn, runnersOf } from './runners.ts';

/** GitHub makes no more jobs of one matrix (docs.github.com, "Usage limits"). */
export const MOST_JOBS = 256;

/** One build job, as `strategy.matrix.include` takes it. What it has several of is one per line, in the order of the images. */
export interface MatrixJob {
  /** Of the job: the name of its image, or of the first and how many more. */
  readonly name: string;
  /** The names of its images. */
  readonly images: string;
  /** What the images run on. */
  readonly system: System;
  /** What builds them, and the runner with it. */
  readonly buildSystem: System;
  /** Every system that each image has: what `build` takes as `systems`. */
  readonly systems: string;
  readonly runner: RunsOn;
  /** The system that the runner must emulate to build them; empty where it need not. */
  readonly emulate: System | '';
  /** The system whose disks the runner must boot, for the tests of this one; empty where there are none. */
  readonly boot: System | '';
  /** Gibibytes that the runner should have free for making a disk, besides those for the Nix store: what `setup` takes as `disk-space`. */
  readonly diskSpace: number;
  readonly kind: string;
  readonly attr: string;
  /** What `build` takes; empty where a file is evaluated, which takes `file` and `attr`. */
  readonly installable: string;
  readonly file: string;
  readonly key: string;
  /** Tells this call from others in the run: what `build` takes as `call`. */
  readonly call: string;
}

/** What tells the build jobs apart, and no more. */
type JobName = Pick<MatrixJob, 'name' | 'images' | 'system' | 'buildSystem'>;

export const jobNames = (jobs: readonly MatrixJob[]): readonly JobName[] =>
  jobs.map(({ name, images, system, buildSystem }) => ({ name, images, system, buildSystem }));

/** An image for one system that a job is needed for. */
export interface NeededJob {
  readonly image: PlannedImage;
  readonly job: PlannedJob;
}

/** The images that are to be built, each for each of its systems. */
export const neededJobs = ({ images }: Pick<Plan, 'images'>): readonly NeededJob[] =>
  images.flatMap((image) => image.jobs.filter(isNeeded).map((job) => ({ image, job })));

interface BatchOptions {
  readonly batch: BatchChoice;
  readonly maxJobs: number;
  /** What an image is made of, as far as it tells which share most. */
  readonly partsOf: (needed: NeededJob) => ReadonlySet<string>;
}

/** The build jobs' images: those of one batch are built on one machine. A disk is alone, for building it takes the machine's disk. */
export function batchedJobs(plan: Pick<Plan, 'images'>, { partsOf, ...limits }: BatchOptions): NeededJob[][] {
  const items = neededJobs(plan).map((needed) => ({
    needed,
    name: needed.image.name,
    kind: kindOf(needed),
    isAlone: !isContainer(needed.job),
    parts: partsOf(needed),
  }));
  return batchesOf(items, limits).map((batch) => batch.map(({ needed }) => needed));
}

/** What one call of `build` can do: one machine, one list of systems, one file. */
function kindOf({ image, job }: NeededJob): string {
  return JSON.stringify([SYSTEMS.indexOf(job.system), job.buildSystem, image.source.file, systemsOf(image)]);
}

const systemsOf = ({ jobs }: PlannedImage): string => jobs.map(({ system }) => system).join('\n');

/** The build jobs that are needed. Throws UserError `input` as `runnersOf` does. */
export function matrixOf(
  batches: readonly (readonly NeededJob[])[],
  { call }: Pick<Plan, 'call'>,
  given: readonly RunnerLine[],
): readonly MatrixJob[] {
  const runners = runnersOf(given);
  return batches.flatMap((batch): MatrixJob[] => {
    const [first] = batch;
    if (first === undefined) return [];
    const { system, buildSystem: cross, boots, diskSpace = 0 } = first.job;
    const buildSystem = cross ?? system;
    const { runsOn, emulated } = runners[buildSystem];
    const lines = (of: (needed: NeededJob) => string): string => batch.map(of).join('\n');
    const names = batch.map(({ image }) => image.name);
    return [
      {
        name: jobName(names),
        images: names.join('\n'),
        system,
        buildSystem,
        systems: systemsOf(first.image),
        runner: runsOn,
        emulate: emulated ? buildSystem : '',
        boot: boots ? system : '',
        diskSpace,
        kind: lines(({ job }) => job.kind),
        attr: lines(({ job }) => job.attr),
        installable: lines(({ image: { source }, job }) =>
          source.flake === null ? '' : `${source.flake}#${job.attr}`,
        ).trim(),
        file: first.image.source.file ?? '',
        key: lines(({ job }) => job.key),
        call,
      },
    ];
  });
}

/** Names a job by its images. */
export const jobName = ([first = '', ...others]: readonly string[]): string =>
  others.length === 0 ? first : `${first} and ${others.length} more`;

function commonLength(a: string, b: string): number {
  const end = [...a].findIndex((letter, at) => letter !== b[at]);
  return end < 0 ? a.length : end;
}

/** A glob that about half of the sorted names match: those that begin as the one in the middle does. */
function halfOf(names: readonly string[]): string {
  const common = commonLength(names[0] ?? '', names.at(-1) ?? '');
  return `${(names[Math.floor(names.length / 2)] ?? '').slice(0, common + 1)}*`;
}

/** How to plan the images in two parts. */
function inParts({ images }: Pick<Plan, 'images'>): string {
  const half = halfOf(images.map(({ name }) => name));
  return `Plan the images in parts, each with builds and a publish of its own: images: '${half}' in one, and '!${half}' in the other.`;
}

/** Why a workflow cannot run all build jobs of a plan, and how to part it; undefined where it can. */
export function tooLarge(plan: Pick<Plan, 'images'>, jobs: readonly MatrixJob[]): UserError | undefined {
  if (jobs.length <= MOST_JOBS) return undefined;
  return new UserError('input', `${jobs.length} build jobs are needed, and a workflow's matrix takes ${MOST_JOBS}`, {
    hint: `Let a job build several images (batch: auto), except for disks. ${inParts(plan)}`,
  });
}

/** Why a job cannot hand the outputs of a plan on, and how to part it; undefined where it can. */
export function tooLong(plan: Pick<Plan, 'images'>, outputs: Readonly<Record<string, string>>): UserError | undefined {
  const bytes = outputBytes(outputs);
  if (bytes <= MOST_OUTPUT_BYTES) return undefined;
  const what = `the plan of ${countText(plan.images.length, 'image')} takes ${sizeText(bytes)} of outputs`;
  return new UserError('input', `${what}, and GitHub fails a job with more than 1 MiB`, {
    hint: inParts(plan),
    docs: 'workflow.md#limits',
  });
}
