import { isAttachedTag } from '../storage/attached-tags.ts';
import { historyOfChannels } from './history.ts';
import type { Policy } from './policy.ts';
import type { Prunable } from './prunable.ts';
import { isPreview, type PolicyFacts, type PruneVerdict, tagVerdicts, untaggedVerdict } from './verdicts.ts';

/** A name, and what becomes of it. */
interface NameDecision extends PruneVerdict {
  readonly name: string;
}

/** What becomes of an item and of its names. One that stays may lose names. */
export interface Decision extends PruneVerdict {
  readonly item: Prunable;
  readonly names: readonly NameDecision[];
  /** The item that it belongs to, where it goes for no reason of its own. */
  readonly with: string | undefined;
  /** What is done instead of removing it, where it goes in steps and this is not the last: `deprecate`. */
  readonly step?: string;
}

/**
 * Applies a policy. An item stays when one of its names does, when something that stays needs it, or when it is about
 * something that stays; so nothing that stays loses a part, a signature or the list of them. Pure: equal items, equal
 * decisions, in the order of the items.
 */
export function decide(items: readonly Prunable[], policy: Policy, facts: PolicyFacts): Decision[] {
  const byId = new Map(items.map((item) => [item.id, item]));
  const byRules = tagVerdicts(policy, facts, items);
  const history = historyOfChannels(items, policy.keepHistory, (item, name) => !byRules(item, name).goes);
  // What a channel needs keeps its tags, but for those of previews, which nothing keeps longer than their pull request.
  const verdictOf: VerdictOf = (item, name) => {
    const verdict = byRules(item, name);
    const channel = history.get(item.id);
    const stays = channel === undefined || !verdict.goes || isPreview(item, name, policy);
    return stays ? verdict : { goes: false, why: `history of ${channel}` };
  };
  const needed = new Set(items.flatMap(({ needs }) => needs));
  const attached = Map.groupBy(
    items.flatMap((item) => item.about.map((subject) => ({ item, subject }))),
    ({ subject }) => subject,
  );
  const own = new Map<string, PruneVerdict | undefined>(
    items.map((item) => [item.id, ownVerdict(item, { policy, facts, verdictOf, history, needed, byId })]),
  );

  /** Everything that comes with what is in `first`, with the item that led to it. */
  const reach = (first: readonly Prunable[]): Map<string, string | undefined> => {
    const reached = new Map<string, string | undefined>(first.map(({ id }) => [id, undefined]));
    const queue = [...first];
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      const { id } = item;
      const next = [
        ...item.needs.flatMap((need) => byId.get(need) ?? []),
        ...(attached.get(id) ?? []).map((a) => a.item),
      ];
      for (const found of next) {
        if (reached.has(found.id)) continue;
        reached.set(found.id, id);
        queue.push(found);
      }
    }
    return reached;
  };

  const rooted = (goes: boolean): readonly Prunable[] => items.filter(({ id }) => own.get(id)?.goes === goes);
  const reached = new Set([...reach(rooted(false)).keys(), ...reach(rooted(true)).keys()]);
  // Those that belong to each other alone, such as a list that names itself: nothing else says what becomes of them.
  for (const item of items) if (!reached.has(item.id)) own.set(item.id, untaggedVerdict(policy, facts, item));
  const kept = reach(rooted(false));
  const gone = reach(rooted(true));
  return items.map((item) => {
    const { id } = item;
    const goes = !kept.has(id);
    const names = item.names.map((name): NameDecision => {
      if (!isAttached(item, name)) return { name, ...verdictOf(item, name) };
      const follows = item.about.some((subject) => kept.has(subject));
      // A list that stays for a reason of its own keeps its name: that is how it is found.
      const stays = follows || own.get(id)?.goes === false;
      return { name, goes: !stays, why: stays ? 'what it is about stays' : 'what it is about goes' };
    });
    const by = (goes ? gone : kept).get(id);
    const verdict = own.get(id);
    // A verdict of its own that the keep set has overruled is no reason.
    const why =
      verdict?.goes === goes ? verdict.why : goes ? 'nothing that stays needs it' : 'something that stays needs it';
    return { item, goes, why, names, with: verdict?.goes === goes ? undefined : by };
  });
}

/** Whether a name is that of a list, or of what is attached to another item. */
const isAttached = ({ whole }: Prunable, name: string): boolean => whole === undefined && isAttachedTag(name);

type VerdictOf = (item: Prunable, name: string) => PruneVerdict;

interface Surroundings {
  readonly policy: Policy;
  readonly facts: PolicyFacts;
  readonly verdictOf: VerdictOf;
  readonly history: ReadonlyMap<string, string>;
  readonly needed: ReadonlySet<string>;
  readonly byId: ReadonlyMap<string, Prunable>;
}

/** What is said of an item for its own sake; undefined for what belongs to others. */
function ownVerdict(
  item: Prunable,
  { policy, facts, verdictOf, history, needed, byId }: Surroundings,
): PruneVerdict | undefined {
  const channel = history.get(item.id);
  const kept = channel === undefined ? undefined : { goes: false, why: `history of ${channel}` };
  const names = item.names.filter((name) => !isAttached(item, name));
  if (names.length > 0) {
    const verdicts = names.map((name) => verdictOf(item, name));
    const stays = verdicts.find(({ goes }) => !goes) ?? kept;
    return stays ?? { goes: true, why: [...new Set(verdicts.map(({ why }) => why))].join('; ') };
  }
  if (kept) return kept;
  const belongs = needed.has(item.id) || item.about.some((subject) => byId.has(subject));
  return belongs ? undefined : untaggedVerdict(policy, facts, item);
}
