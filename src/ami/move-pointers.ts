import type { Cloud } from '../aws/cloud.ts';
import { isRefused } from '../aws/refusal.ts';
import type { ParameterRecord } from '../aws/ssm-api.ts';
import type { Effects } from '../core/effects.ts';
import { cancelled, docsOf, hintsOf, UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import { type Left, pointerCommand } from './left.ts';
import { TAKEN_BACK } from './pointer-history.ts';
import { lookUntil, SETTLING, type Waiting, whilePassing } from './settle.ts';
import { REGIONS_AT_ONCE } from './survey.ts';

/** A parameter that is to point to another AMI. */
export interface PointerMove {
  readonly region: string;
  readonly name: string;
  readonly amiId: string;
  /** What is said of it in the parameter's description. */
  readonly description: string;
  /** What it is now; undefined where it is made. */
  readonly before: ParameterRecord | undefined;
}

/** How moving ended: all have moved, or none has but for what is in `left`. */
export interface PointersMoved {
  readonly failure: UserError | undefined;
  readonly left: readonly Left[];
}

interface MoveTools extends Pick<Effects, 'clock' | 'log' | 'signal'> {
  readonly cloud: Cloud;
}

/** Another value is still looked at. */
const isBusy = (error: unknown): boolean => isRefused(error, 'TooManyUpdates');

/**
 * Moves parameters in all regions at once, and waits until each is seen as it is to be: Systems Manager answers before it has looked at a value, and drops what it does not
 * like. Where one fails, all go back to what they were, by new credentials and whatever has stopped the run. Throws what is no UserError.
 */
export async function movePointers(moves: readonly PointerMove[], tools: MoveTools): Promise<PointersMoved> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, tools.signal]);
  const begun = new Set<PointerMove>();
  const failures: unknown[] = [];
  await mapParallel(moves, REGIONS_AT_ONCE, async (move) => {
    if (signal.aborted) return;
    begun.add(move);
    try {
      await point(tools.cloud, move, { clock: tools.clock, signal });
      tools.log.info(`${move.region}: ${move.name} points to ${move.amiId}`);
    } catch (error) {
      failures.push(error);
      stop.abort();
    }
  });
  if (failures.length === 0 && !tools.signal.aborted) return { failure: undefined, left: [] };
  tools.log.warn('taking back what has moved, in every region');
  tools.cloud.renew();
  const left = await mapParallel([...begun], REGIONS_AT_ONCE, (move) => takeBack(tools, move));
  return { failure: failureOf(failures, left.flat(), tools.signal), left: left.flat() };
}

async function point(cloud: Cloud, { region, name, amiId, description }: PointerMove, waiting: Waiting): Promise<void> {
  const ssm = cloud.ssm(region);
  const version = await whilePassing(() => ssm.putImage(name, amiId, description), isBusy, SETTLING, waiting);
  const seen = await lookUntil(
    async () => {
      const now = (await ssm.parameters([name])).get(name);
      return now !== undefined && now.version >= version ? now : undefined;
    },
    SETTLING,
    waiting,
  );
  if (seen?.value === amiId) return;
  const what = seen === undefined ? 'dropped it' : `has ${seen.value} in it by now`;
  throw new UserError('aws', `cannot store ${amiId} in ${name} in ${region}: Systems Manager ${what}`, {
    hint:
      seen === undefined
        ? 'The role needs ec2:DescribeImages, and the AMI must be available there.'
        : 'Somebody else moves it at the same time. Run again.',
  });
}

/** Puts a parameter back, unless somebody else has moved it by now. */
async function takeBack({ cloud, clock, log }: MoveTools, move: PointerMove): Promise<Left[]> {
  const { region, name, amiId, before } = move;
  const ssm = cloud.ssm(region);
  const waiting = { clock, signal: undefined };
  const read = async () => (await ssm.parameters([name])).get(name);
  try {
    if (before === undefined) {
      // Its value may be looked at still, and come later.
      const now = await lookUntil(read, SETTLING, waiting);
      // AWS may not know yet what it shows, and says so of a deletion.
      const removed = async () => (await ssm.remove(name)) || undefined;
      if (now?.value === amiId) await lookUntil(removed, SETTLING, waiting);
      return [];
    }
    const now = await read();
    if (now !== undefined && now.value !== amiId && now.value !== before.value) {
      log.warn(`${region}: ${name} points to ${now.value} by now, and is left alone`);
      return [];
    }
    await point(cloud, { ...move, amiId: before.value, description: TAKEN_BACK }, waiting);
    return [];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const commands = [pointerCommand(region, name, before?.value)];
    return [{ region, what: `parameter ${name}`, why: error.message, commands }];
  }
}

function failureOf(failures: readonly unknown[], left: readonly Left[], signal: AbortSignal): UserError {
  const isOwn = (error: unknown): error is UserError => error instanceof UserError && error.code !== 'cancelled';
  const bug = failures.find((error) => !(error instanceof UserError) && !(error instanceof DOMException));
  if (bug !== undefined) throw bug;
  const errors = failures.filter(isOwn);
  const [first] = errors;
  if (first === undefined || signal.aborted) return cancelled(first);
  const end = left.length === 0 ? 'all parameters are as they were' : 'not every parameter could be put back';
  return new UserError(first.code, `cannot move the parameters, and ${end}: ${first.message}`, {
    hint: hintsOf(errors),
    docs: docsOf(errors) ?? 'ami-lifecycle.md#channels',
    cause: first,
  });
}
