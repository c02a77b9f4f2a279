import { countText } from '../core/count.ts';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import { type Decision, decide } from './decide.ts';
import { withNotices } from './notices.ts';
import type { PrunePlace, Removal } from './place.ts';
import type { Policy } from './policy.ts';
import type { Prunable } from './prunable.ts';
import { checkPlan, freedBytes, goingNames, type PrunePlan, planOf } from './prune-plan.ts';
import { pullOf } from './pull-of.ts';
import type { PullState } from './verdicts.ts';

/** Asks what became of pull requests. */
export type AskPulls = (numbers: readonly number[]) => Promise<ReadonlyMap<number, PullState>>;

interface PruneOptions extends Pick<Effects, 'log' | 'clock'> {
  readonly policy: Policy;
  readonly askPulls: AskPulls;
  /** Manifests and tags that may be removed. */
  readonly limit: number;
  readonly force: boolean;
  readonly dryRun: boolean;
}

/** Something that was to go, and what became of it; `planned` where nothing was tried. */
export interface PruneOutcome {
  readonly decision: Decision;
  readonly kind: Removal['kind'] | 'planned' | 'failed';
  /** Why it is still there. */
  readonly why: string | undefined;
  /** Which step towards its removal was done, or would be; undefined for the last. */
  readonly step?: string | undefined;
}

/** What became of a place. */
export interface Pruned {
  readonly name: string;
  /** What is in it, in the singular. */
  readonly noun: string;
  readonly isDryRun: boolean;
  readonly decisions: readonly Decision[];
  readonly outcomes: readonly PruneOutcome[];
  /** Bytes that nothing there stores any more, or would. */
  readonly freed: number;
  readonly error: UserError | undefined;
}

/** Milliseconds for which a list is believed: what goes is decided anew after that. */
const FRESH = 15_000;

/** Failures after which nothing more is tried: what they have in common is not mended by the next. */
const FAILURES = 3;

/**
 * Applies a policy to a place. Everything is read, then decided, then read again and decided again, and only then removed: tags may move
 * meanwhile. Throws UserError before anything is removed: `input` for what `checkPlan` refuses, and whatever reading throws.
 */
export async function prunePlace(place: PrunePlace, options: PruneOptions): Promise<Pruned> {
  const { policy, askPulls, dryRun, clock, log } = options;
  let listed = 0;
  const look = async (removed: ReadonlySet<Prunable> = new Set()): Promise<readonly Decision[]> => {
    const there = await place.list();
    const ids = new Set(there.map(({ id }) => id));
    // What was removed still says why its parts go.
    const items = [...there, ...[...removed].filter(({ id }) => !ids.has(id))];
    // After the list: a pull request that was opened again has its tags in it.
    const numbers = new Set(items.flatMap((item) => item.names.flatMap((name) => pullOf(item, name) ?? [])));
    const pulls =
      policy.closedPreviews && numbers.size > 0 ? await askPulls([...numbers].sort((a, b) => a - b)) : new Map();
    listed = clock.now();
    return await withNotices(place, decide(items, policy, { now: listed, pulls, isForced: options.force }));
  };
  const guard = (decisions: readonly Decision[]): void =>
    checkPlan(decisions, { ...options, name: place.name, noun: nounOf(place) });

  let decisions = await look();
  log.info(`${place.name}: ${countText(decisions.length, nounOf(place))}`);
  guard(decisions);
  if (dryRun || isEmpty(planOf(decisions))) return pruned(place, decisions, { dryRun });
  await place.checkMayRemove();
  const { isSteady = false } = place;
  if (!isSteady) {
    // What is in it by now is known, so this takes a moment.
    decisions = await look();
    guard(decisions);
  }
  const relook: Relook = async (removed) =>
    isSteady || clock.now() - listed < FRESH ? undefined : await look(removed);
  return await carryOut(place, decisions, relook);
}

const nounOf = ({ noun = 'manifest' }: PrunePlace): string => noun;

/** What is decided now, where the last time is too long ago; `removed` is what this run has removed. */
type Relook = (removed: ReadonlySet<Prunable>) => Promise<readonly Decision[] | undefined>;

const isEmpty = ({ gone, renamed }: PrunePlan): boolean => gone.length + renamed.length === 0;

async function carryOut(place: PrunePlace, decisions: readonly Decision[], relook: Relook): Promise<Pruned> {
  const plan = planOf(decisions);
  const outcomes: PruneOutcome[] = [];
  const removed = new Set<Prunable>();
  /** What must stay because something that has it is still there. */
  const blocked = new Set<string>();
  place.condemn?.([...plan.gone, ...plan.renamed].flatMap(goingNames));
  let goes = goingIn(decisions);
  let error: UserError | undefined;
  let failures = 0;

  const attempt = async (decision: Decision, work: () => Promise<Removal>): Promise<void> => {
    const { id } = decision.item;
    const leave = (kind: 'kept' | 'failed', why: string): void => {
      outcomes.push({ decision, kind, why });
      if (decision.goes) block(decision.item, decisions, blocked);
    };
    if (failures >= FAILURES) return leave('failed', 'too much failed before');
    try {
      const fresh = await relook(removed);
      if (fresh) goes = goingIn(fresh);
      if (!goes(decision)) return leave('kept', 'it is in use by now');
      if (blocked.has(id)) return leave('kept', 'something that stays needs it');
      const removal = await work();
      if (removal.kind === 'kept') leave('kept', removal.why);
      else {
        const step = removal.kind === 'staged' ? removal.step : undefined;
        outcomes.push({ decision, kind: removal.kind, why: undefined, step });
        if (decision.goes && step === undefined) removed.add(decision.item);
      }
    } catch (thrown) {
      if (!(thrown instanceof UserError)) throw thrown;
      error ??= thrown;
      failures = ['credentials', 'cancelled'].includes(thrown.code) ? FAILURES : failures + 1;
      leave('failed', thrown.message);
    }
  };

  // Names first: what they are taken from stays whatever comes.
  for (const decision of plan.renamed) {
    await attempt(decision, () => place.removeNames(decision.item, goingNames(decision)));
  }
  try {
    await place.finish();
    for (const decision of plan.gone) await attempt(decision, () => place.removeItem(decision.item));
    await place.finish();
    const back = await putBack(place, removed);
    for (const [at, outcome] of outcomes.entries()) {
      if (back.has(outcome.decision.item)) outcomes[at] = { ...outcome, kind: 'kept', why: 'what is new needs it' };
    }
  } catch (thrown) {
    if (!(thrown instanceof UserError)) throw thrown;
    error ??= thrown;
  }
  return pruned(place, decisions, { outcomes, error });
}

/**
 * Whoever published meanwhile may have found something there that was then removed: that is put back, with all that it needs itself and what
 * is about it, such as signatures. What it stores is still there, for places drop that later.
 */
async function putBack(place: PrunePlace, removed: ReadonlySet<Prunable>): Promise<ReadonlySet<Prunable>> {
  if (place.putBack === undefined || removed.size === 0) return new Set();
  const byId = new Map([...removed].map((item) => [item.id, item]));
  const back = new Set<Prunable>();
  const visit = async (id: string): Promise<void> => {
    const item = byId.get(id);
    if (item === undefined || back.has(item)) return;
    back.add(item);
    for (const need of item.needs) await visit(need);
    await place.putBack?.(item);
    await visitAbout(id);
  };
  const visitAbout = async (subject: string): Promise<void> => {
    for (const { id, about } of removed) if (about.includes(subject)) await visit(id);
  };
  for (const { id, needs } of await place.list()) {
    for (const need of needs) await visit(need);
    await visitAbout(id);
  }
  return back;
}

/** Whether all that was decided about an item is still decided so. What is gone by now may go. */
function goingIn(decisions: readonly Decision[]): (decision: Decision) => boolean {
  const byId = new Map(decisions.map((decision) => [decision.item.id, decision]));
  return (before) => {
    const now = byId.get(before.item.id);
    if (now === undefined || (before.goes && now.goes)) return true;
    if (before.goes) return false;
    const stay = new Set(now.names.filter(({ goes }) => !goes).map(({ name }) => name));
    return goingNames(before).every((name) => !stay.has(name));
  };
}

/** An item that stays keeps what it needs and what is about it. */
function block(item: Prunable, decisions: readonly Decision[], blocked: Set<string>): void {
  const items = decisions.map((decision) => decision.item);
  const byId = new Map(items.map((one) => [one.id, one]));
  const queue = [item];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { id, needs } = next;
    const with_ = [
      ...needs.flatMap((need) => byId.get(need) ?? []),
      ...items.filter(({ about }) => about.includes(id)),
    ];
    for (const one of with_) {
      if (blocked.has(one.id)) continue;
      blocked.add(one.id);
      queue.push(one);
    }
  }
}

interface Ending {
  readonly dryRun?: boolean;
  readonly outcomes?: readonly PruneOutcome[];
  readonly error?: UserError | undefined;
}

function pruned(
  place: PrunePlace,
  decisions: readonly Decision[],
  { dryRun = false, outcomes: done, error }: Ending,
): Pruned {
  const { gone, renamed } = planOf(decisions);
  const outcomes =
    done ??
    [...renamed, ...gone].map(
      (decision): PruneOutcome => ({ decision, kind: 'planned', why: undefined, step: decision.step }),
    );
  const isOut = new Set(
    outcomes
      .filter(({ decision, kind, step }) => decision.goes && kind !== 'kept' && kind !== 'failed' && step === undefined)
      .map(({ decision }) => decision.item),
  );
  const items = decisions.map(({ item }) => item);
  const freed = freedBytes(
    [...isOut],
    items.filter((item) => !isOut.has(item)),
  );
  const failure = error ?? place.unread?.();
  return { name: place.name, noun: nounOf(place), isDryRun: dryRun, decisions, outcomes, freed, error: failure };
}
