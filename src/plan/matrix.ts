import { isSystem, SYSTEMS, type System } from '../image/system.ts';
import { UserError } from '../io/error.ts';
import type { ImageKind } from '../nix/recognise.ts';
import { isNeeded, type Plan } from './plan.ts';

/** GitHub makes no more jobs of one matrix (docs.github.com, "Usage limits"). */
const MOST_JOBS = 256;

export type Runners = Readonly<Record<System, string>>;

/** GitHub's own runners, free for public repositories. */
const RUNNERS: Runners = { 'x86_64-linux': 'ubuntu-latest', 'aarch64-linux': 'ubuntu-24.04-arm' };

/** One build job, as `strategy.matrix.include` takes it. */
export interface MatrixJob {
  readonly name: string;
  readonly system: System;
  readonly runner: string;
  readonly kind: ImageKind;
  readonly attr: string;
  /** What `build` takes; empty where a file is evaluated, which takes `attr`. */
  readonly installable: string;
  readonly key: string;
}

/** Reads `SYSTEM=LABEL`. Throws UserError `input`. */
export function parseRunner(text: string): readonly [System, string] {
  const [, system = '', label = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (isSystem(system) && label.trim() !== '') return [system, label.trim()];
  throw new UserError('input', `${JSON.stringify(text)} is no runner of a system`, {
    hint: `Write SYSTEM=LABEL, for instance ${SYSTEMS[1]}=${RUNNERS[SYSTEMS[1]]}; systems are ${SYSTEMS.join(' and ')}.`,
  });
}

/** The build jobs that are needed. */
export function matrixOf(plan: Plan, runners: readonly (readonly [System, string])[]): readonly MatrixJob[] {
  const labels = { ...RUNNERS, ...Object.fromEntries(runners) };
  const { flake } = plan.source;
  return plan.images.flatMap(({ name, jobs }) =>
    jobs.filter(isNeeded).map(({ system, kind, attr, key }): MatrixJob => {
      const installable = flake === null ? '' : `${flake}#${attr}`;
      return { name, system, runner: labels[system], kind, attr, installable, key };
    }),
  );
}

const commonLength = (a: string, b: string): number => {
  const end = [...a].findIndex((letter, at) => letter !== b[at]);
  return end < 0 ? a.length : end;
};

/** A glob that about half of the sorted names match: those that begin as the one in the middle does. */
function halfOf(names: readonly string[]): string {
  const common = commonLength(names[0] ?? '', names.at(-1) ?? '');
  return `${(names[Math.floor(names.length / 2)] ?? '').slice(0, common + 1)}*`;
}

/** Why there are more jobs than one matrix takes, and how to part them; undefined where there are not. */
export function tooManyJobs(jobs: readonly MatrixJob[]): UserError | undefined {
  if (jobs.length <= MOST_JOBS) return undefined;
  const half = halfOf([...new Set(jobs.map(({ name }) => name))].sort());
  return new UserError('input', `${jobs.length} build jobs are needed, and a workflow's matrix takes ${MOST_JOBS}`, {
    hint:
      'Plan them in parts, each with builds and a publish of its own: by name ' +
      `(images: '${half}' in one, '!${half}' in the other), or each system with workflows of its own.`,
  });
}
