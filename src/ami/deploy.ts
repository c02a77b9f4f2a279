import { AwsRefusal } from '../aws/refusal.ts';
import { cancelled, docsOf, hintsOf, UserError } from '../core/error.ts';
import type { System } from '../oci/system.ts';
import { TAGS } from './content.ts';
import { Deployment, type DeployTools } from './deployment.ts';
import type { JournalEntry, StepEffect } from './journal.ts';
import type { Left } from './left.ts';
import { awaitImage, copyAmi, makeSnapshot, register, removeSurplus, type StepContext } from './make-steps.ts';
import { type AmiPlan, placeOfStep } from './plan.ts';
import {
  deprecate,
  plannedChange,
  pointParameter,
  protect,
  shareImage,
  shareSnapshots,
  tagPublished,
} from './publish-steps.ts';
import { type FailedStep, runSteps, type StepsRun } from './run-steps.ts';
import { type UndoScope, undoScopeOf } from './scope.ts';
import type { Step, StepKind } from './step.ts';
import { isLive } from './survey.ts';
import { undo } from './undo.ts';

/** An AMI that everybody who is to may use. */
export interface DeployedAmi {
  readonly image: string;
  readonly system: System;
  readonly version: string;
  readonly region: string;
  readonly id: string;
  readonly name: string;
  /** The snapshot under it; undefined where AWS has not named it. */
  readonly snapshot: string | undefined;
  /** What it holds and is registered as: its tag of that name. */
  readonly content: string;
  /** Identity of its disk. */
  readonly disk: string;
}

/** How a deployment ended. */
export interface Deployed {
  /**
   * `published`: in every region that must not fail. `unfinished`: so too, and tags or protection are missing, which the next run sets. `undone`:
   * nothing is left. `left`: what could not be taken back is in `left`.
   */
  readonly outcome: 'published' | 'unfinished' | 'undone' | 'left';
  readonly amis: readonly DeployedAmi[];
  /** Regions that may fail and did, with the reason. */
  readonly failedRegions: ReadonlyMap<string, string>;
  readonly left: readonly Left[];
  /** Why it is not `published`. */
  readonly failure: UserError | undefined;
}

const WORK: Readonly<Record<StepKind, (context: StepContext) => Promise<StepEffect | undefined>>> = {
  remove: removeSurplus,
  snapshot: makeSnapshot,
  register,
  copy: copyAmi,
  wait: awaitImage,
  'smoke-test': smokeTest,
  'snapshot-permission': shareSnapshots,
  'launch-permission': shareImage,
  deprecate,
  parameter: pointParameter,
  tag: tagPublished,
  protect,
};

async function smokeTest({ deployment, place, signal }: StepContext): Promise<undefined> {
  await deployment.tools.smokeTest?.(place.region, deployment.needImage(place), place.disk, signal);
}

/**
 * Carries out a plan: all of it is published, or all is taken back. Only regions that may fail can be missing. Throws what is no failure of AWS's
 * (bugs, a journal that cannot be written), when it has taken back what it could.
 */
export async function deploy(plan: AmiPlan, tools: DeployTools): Promise<Deployed> {
  const { journal } = tools;
  const deployment = new Deployment(plan, tools);
  await journal.write(beginning(plan, tools));
  const run = await runSteps(plan.steps, (step, signal) => carryOut(deployment, step, signal), tools.signal);
  const isOpen = ({ mayFail, isFinishing, id }: Step): boolean => !mayFail && !isFinishing && !run.done.has(id);
  if (plan.steps.some(isOpen)) return await takeBack(deployment, run);
  const failedRegions = new Map(plan.unreached);
  const left = await dropRegions(deployment, run, failedRegions);
  const isDone = plan.steps.every(({ id, mayFail }) => mayFail || run.done.has(id));
  const outcome = isDone ? 'published' : 'unfinished';
  await journal.write({ event: 'end', outcome });
  const amis = amisOf(deployment, failedRegions);
  return { outcome, amis, failedRegions, left, failure: isDone ? undefined : failureOf(run, tools, 'unfinished') };
}

function beginning(plan: AmiPlan, { run, discardUpload }: Pick<DeployTools, 'run' | 'discardUpload'>) {
  return {
    event: 'begin' as const,
    version: 1 as const,
    run,
    account: plan.account,
    regions: [...new Set(plan.places.map(({ region }) => region))],
    upload: discardUpload ? ('s3' as const) : ('ebs-direct' as const),
    places: plan.places.map(({ region, content, disk, parameters }) => ({
      ...{ region, content },
      disk: disk.identity,
      isLive: isLive(plan.places, disk),
      parameters: [...parameters.keys()],
    })),
  };
}

/** A step with what the journal says of it, before and after. */
async function carryOut(deployment: Deployment, step: Step, signal: AbortSignal): Promise<void> {
  const { journal, log } = deployment.tools;
  const place = placeOfStep(deployment.plan, step);
  const context: StepContext = { deployment, place, signal, subject: step.subject };
  const { id, kind, region } = step;
  const said = { step: id, kind, region, content: place.content };
  const planned = plannedChange(context, kind);
  await journal.write({ event: 'before', ...said, ...(planned === undefined ? {} : { planned }) });
  try {
    const effect = await WORK[kind](context);
    await journal.write({ event: 'after', ...said, ...(effect === undefined ? {} : { effect }) });
    log.info(`done: ${id}`);
  } catch (error) {
    // Of several requests one may have been done, and its answer lost.
    const isAnswered = error instanceof AwsRefusal && error.isFirst && kind !== 'snapshot' && kind !== 'parameter';
    await journal.write({ event: 'failed', ...said, error: messageOf(error), isAnswered });
    throw error;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Takes everything back, in all regions, with credentials of its own. */
async function takeBack(deployment: Deployment, run: StepsRun): Promise<Deployed> {
  const { plan, tools } = deployment;
  tools.log.warn('taking back what was made, in every region');
  const left = await undo(undoScopeOf(tools.journal.entries), tools);
  const outcome = left.length === 0 ? 'undone' : 'left';
  await tools.journal.write({ event: 'end', outcome });
  return { outcome, amis: [], failedRegions: plan.unreached, left, failure: failureOf(run, tools, outcome) };
}

/** Takes back what is in regions that may fail and did, and adds them to `failedRegions`. */
async function dropRegions(deployment: Deployment, run: StepsRun, failedRegions: Map<string, string>): Promise<Left[]> {
  const { journal } = deployment.tools;
  for (const { step, error } of run.failed)
    if (step.mayFail && !step.isFinishing && !failedRegions.has(step.region))
      failedRegions.set(step.region, messageOf(error));
  for (const { mayFail, isFinishing, region } of run.skipped)
    if (mayFail && !isFinishing && !failedRegions.has(region)) failedRegions.set(region, 'cancelled');
  const regions = [...failedRegions.keys()].filter((region) => !deployment.plan.unreached.has(region));
  if (regions.length === 0) return [];
  deployment.tools.log.warn(
    `taking back what was made in ${regions.join(', ')}: ${[...failedRegions.values()].join('; ')}`,
  );
  return await undo(within(journal.entries, regions), deployment.tools);
}

/** What was done in these regions alone. */
function within(entries: readonly JournalEntry[], regions: readonly string[]): UndoScope {
  const scope = undoScopeOf(entries);
  const isHere = ({ region }: { readonly region: string }): boolean => regions.includes(region);
  return { ...scope, regions, places: scope.places.filter(isHere), effects: scope.effects.filter(isHere) };
}

const amisOf = (deployment: Deployment, failedRegions: ReadonlyMap<string, string>): DeployedAmi[] =>
  deployment.plan.places
    .filter(({ region }) => !failedRegions.has(region))
    .flatMap((place) => {
      const { disk, region, name, found, content } = place;
      const id = deployment.imageOf(place);
      if (id === undefined) return [];
      const { image, system } = disk;
      // What was there keeps its tags.
      const version = found?.ami.tags.get(TAGS.version) ?? disk.version;
      const snapshot = deployment.snapshotOf(place);
      return [
        { image, system, version, region, id, name: found?.ami.name ?? name, snapshot, content, disk: disk.identity },
      ];
    });

const ENDS = {
  unfinished: 'the AMIs are published, and some steps are missing',
  undone: 'deployment failed, and everything was taken back',
  left: 'deployment failed, and not everything could be taken back',
} as const;

/** The first failure that was no consequence of another; bugs are thrown. */
function failureOf({ failed }: StepsRun, { signal }: DeployTools, outcome: keyof typeof ENDS): UserError {
  const isOwn = ({ error }: FailedStep): boolean => !(error instanceof UserError) || error.code !== 'cancelled';
  const own = failed.filter(({ step, error }) => !step.mayFail && isOwn({ step, error }));
  const bug = own.find(({ error }) => !(error instanceof UserError) && !(error instanceof DOMException));
  if (bug) throw bug.error;
  const errors = own.map(({ error }) => error).filter((error) => error instanceof UserError);
  const [first] = errors;
  if (first === undefined || signal.aborted) return cancelled(first);
  const lines = own.map(({ step, error }) => `  ${step.id}: ${messageOf(error)}`);
  return new UserError(first.code, `${ENDS[outcome]}:\n${lines.join('\n')}`, {
    hint: hintsOf(errors),
    docs: docsOf(errors),
    cause: first,
  });
}
