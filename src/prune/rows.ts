import type { Pruned, PruneOutcome } from './prune.ts';
import { goingNames } from './prune-plan.ts';

/** One line of a report: an item with all that goes with it, such as an image, or the tags that are taken from one that stays. */
export interface PrunedRow {
  readonly action: 'delete' | 'untag' | 'step';
  /** What is done to it where it goes in steps and this is not the last: `deprecate`. */
  readonly step?: string;
  /** Of a manifest its digest. */
  readonly id: string;
  readonly names: readonly string[];
  /** Items that go: of an image its index, the images in it and what refers to them. */
  readonly items: number;
  /** Bytes that only these store. */
  readonly bytes: number;
  /** By which rule. */
  readonly why: string;
  /** Why it is still there; null where it is not, or was not to be touched. */
  readonly left: string | null;
}

const isLeft = ({ kind }: PruneOutcome): boolean => kind === 'kept' || kind === 'failed';

/** What became of a place, line by line. What goes with something else is counted there. */
export function prunedRows({ outcomes, decisions }: Pruned): PrunedRow[] {
  const byId = new Map(outcomes.map((outcome) => [outcome.decision.item.id, outcome]));
  const rootOf = (outcome: PruneOutcome): PruneOutcome => {
    let at = outcome;
    for (let steps = 0; at.decision.with !== undefined && steps <= outcomes.length; steps += 1) {
      const up = byId.get(at.decision.with);
      if (up === undefined) break;
      at = up;
    }
    return at;
  };
  const groups = Map.groupBy(outcomes, rootOf);
  const isOut = (one: PruneOutcome): boolean => one.decision.goes && !isLeft(one) && one.step === undefined;
  const removed = new Set(outcomes.filter(isOut).map(({ decision }) => decision));
  const counted = new Set(decisions.filter((one) => !removed.has(one)).flatMap(({ item }) => [...item.stored.keys()]));
  return [...groups].map(([root, group]) => {
    const { decision } = root;
    const gone = group.filter((one) => removed.has(one.decision));
    let bytes = 0;
    for (const [id, size] of gone.flatMap((one) => [...one.decision.item.stored])) {
      if (!counted.has(id)) bytes += size;
      counted.add(id);
    }
    const names = decision.names.filter(({ goes }) => goes);
    return {
      ...actionOf(root),
      id: decision.item.id,
      names: goingNames(decision).sort(),
      items: gone.length,
      bytes,
      why: decision.goes ? decision.why : [...new Set(names.map(({ why }) => why))].join('; '),
      left: group.find(isLeft)?.why ?? null,
    };
  });
}

function actionOf({ decision, step }: PruneOutcome): Pick<PrunedRow, 'action' | 'step'> {
  if (step !== undefined) return { action: 'step', step };
  return { action: decision.goes ? 'delete' : 'untag' };
}
