import { UserError } from '../core/error.ts';
import type { ImageKind } from '../nix/recognise.ts';
import type { System } from '../oci/system.ts';
import { isNeeded, type Plan } from './plan.ts';
import { type RunnerLine, type RunsOn, runnersOf } from './runners.ts';

/** GitHub makes no more jobs of one matrix (docs.github.com, "Usage limits"). */
const MOST_JOBS = 256;

/** One build job, as `strategy.matrix.include` takes it. */
export interface MatrixJob {
  readonly name: string;
  /** What the image runs on. */
  readonly system: System;
  /** What builds it, and the runner with it. */
  readonly buildSystem: System;
  /** Every system that the image has, one per line: what `build` takes as `systems`. */
  readonly systems: string;
  readonly runner: RunsOn;
  /** The system that the runner must emulate to build it; empty where it need not. */
  readonly emulate: System | '';
  /** The system whose disks the runner must boot, for the tests of this one; empty where there are none. */
  readonly boot: System | '';
  /** Gibibytes that the runner should have free for making a disk, besides those for the Nix store: what `setup` takes as `disk-space`. */
  readonly diskSpace: number;
  readonly kind: ImageKind;
  readonly attr: string;
  /** What `build` takes; empty where a file is evaluated, which takes `file` and `attr`. */
  readonly installable: string;
  readonly file: string;
  readonly key: string;
  /** Tells this call from others in the run: what `build` takes as `call`. */
  readonly call: string;
}

/** The build jobs that are needed. Throws UserError `input` as `runnersOf` does. */
export function matrixOf({ images, call }: Plan, given: readonly RunnerLine[]): readonly MatrixJob[] {
  const runners = runnersOf(given);
  return images.flatMap(({ name, source: { flake, file }, jobs }) => {
    const systems = jobs.map(({ system }) => system).join('\n');
    return jobs
      .filter(isNeeded)
      .map(({ system, buildSystem: cross, kind, attr, key, boots, diskSpace = 0 }): MatrixJob => {
        const buildSystem = cross ?? system;
        const { runsOn, emulated } = runners[buildSystem];
        return {
          name,
          system,
          buildSystem,
          systems,
          runner: runsOn,
          emulate: emulated ? buildSystem : '',
          boot: boots ? system : '',
          diskSpace,
          kind,
          attr,
          installable: flake === null ? '' : `${flake}#${attr}`,
          file: file ?? '',
          key,
          call,
        };
      });
  });
}

function commonLength(a: string, b: string): number {
  const end = [...a].findIndex((letter, at) => letter !== b[at]);
  return end < 0 ? a.length : end;
}

/** A glob that about half of the sorted names match: those that begin as the one in the middle does. */
function halfOf(names: readonly string[]): string {
  const common = commonLength(names[0] ?? '', names.at(-1) ?? '');
  return `${(names[Math.floor(names.length / 2)] ?? '').slice(0, common + 1)}*`;
}

/** Why a workflow cannot run all build jobs of a plan, and how to part it; undefined where it can. */
export function tooLarge(plan: Plan, jobs: readonly MatrixJob[]): UserError | undefined {
  if (jobs.length <= MOST_JOBS) return undefined;
  const half = halfOf(plan.images.map(({ name }) => name));
  return new UserError('input', `${jobs.length} build jobs are needed, and a workflow's matrix takes ${MOST_JOBS}`, {
    hint:
      'Plan the images in parts, each with builds and a publish of its own: ' +
      `images: '${half}' in one, and '!${half}' in the other.`,
  });
}
