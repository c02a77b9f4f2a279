import { plainMarkdown } from '../core/markdown.ts';
import { plainLine } from '../core/printable.ts';
import { jobNames, type MatrixJob } from '../plan/matrix.ts';
import type { Plan } from '../plan/plan.ts';
import { brokenImages, byReason, lostSystems, problemsError } from '../plan/problems.ts';
import { planSummary, planText } from '../plan/report.ts';
import type { SharedPlan } from './shared-work.ts';

/** What `plan` did. */
export interface PlanResult {
  readonly planned: Plan;
  /** The build jobs that are needed. */
  readonly include: readonly MatrixJob[];
  /** What several of them would build, where that was asked for. */
  readonly shared: SharedPlan;
  /** The output `plan`. */
  readonly output: string;
  /** Whether the run is to publish. */
  readonly isPublished: boolean;
  /** Whether a step of a workflow ran it: what is wrong with one image fails the publish then, and stops no other image. */
  readonly isStep: boolean;
  readonly allowBroken: boolean;
}

/** What makes a publish of the plan fail at its end, one line each. */
export function planProblems({ planned, allowBroken }: Pick<PlanResult, 'planned' | 'allowBroken'>): readonly string[] {
  const lost = planned.to.length === 0 ? [] : planned.images.flatMap((image) => lostSystems(image)?.message ?? []);
  const broken = allowBroken ? [] : byReason(brokenImages(planned)).map(({ attrs, why }) => `${attrs}: ${why}`);
  return [...planned.problems.map(({ why }) => why), ...lost, ...broken].map(plainLine);
}

const sharedSummary = ({ lines }: SharedPlan): string =>
  lines.length === 0 ? '' : `\n#### Shared work\n\n${lines.map((line) => `- ${plainMarkdown(line)}\n`).join('')}`;

/** The outputs of the step. */
export function planOutputs(result: PlanResult) {
  const { planned, include, shared, output, isPublished } = result;
  const images = planned.images.map(({ name, why, jobs }) => ({
    name,
    kind: jobs[0]?.kind,
    systems: jobs.map(({ system }) => system),
    why,
  }));
  return {
    matrix: JSON.stringify({ include }),
    jobs: JSON.stringify({ include: jobNames(include) }),
    any: String(include.length > 0),
    shared: JSON.stringify({ include: shared.jobs }),
    anyShared: String(shared.jobs.length > 0),
    images: JSON.stringify(images),
    plan: output,
    publish: String(isPublished),
    complete: String(planProblems(result).length === 0),
  };
}

export function presentPlan(result: PlanResult) {
  const { planned, shared, isStep } = result;
  const failure = problemsError(planned.problems, planned.to.length === 0 ? [] : planned.images);
  return {
    outputs: planOutputs(result),
    data: planned,
    text: planText(planned),
    summary: `${planSummary(planned)}${sharedSummary(shared)}`,
    ...(failure === undefined || isStep ? {} : { failure }),
  };
}
