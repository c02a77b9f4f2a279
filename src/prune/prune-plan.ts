import { countText } from '../core/count.ts';
import { UserError } from '../core/error.ts';
import { isAttachedTag } from '../storage/attached-tags.ts';
import type { Decision } from './decide.ts';
import type { Prunable } from './prunable.ts';
import { pullOf } from './pull-of.ts';

/** What is to be done in one place. */
export interface PrunePlan {
  /** In the order of removal: what needs others, and what others are about, comes before them. */
  readonly gone: readonly Decision[];
  /** What stays and loses names. */
  readonly renamed: readonly Decision[];
}

/** Names that go from an item which stays. */
export const goingNames = ({ names }: Decision): string[] => names.filter(({ goes }) => goes).map(({ name }) => name);

/** What decisions come to. */
export const planOf = (decisions: readonly Decision[]): PrunePlan => ({
  gone: parentsFirst(decisions.filter(({ goes }) => goes)),
  renamed: decisions.filter((decision) => !decision.goes && goingNames(decision).length > 0),
});

/** An interruption then leaves parts that nothing names, never an index without its images. The oldest go first. */
function parentsFirst(gone: readonly Decision[]): Decision[] {
  const parents = new Map<string, Decision[]>();
  const byId = new Map(gone.map((decision) => [decision.item.id, decision]));
  const note = (child: string, parent: Decision | undefined): void => {
    if (parent) parents.set(child, [...(parents.get(child) ?? []), parent]);
  };
  for (const decision of gone) {
    for (const need of decision.item.needs) note(need, decision);
    for (const subject of decision.item.about) note(decision.item.id, byId.get(subject));
  }
  const ordered = new Set<Decision>();
  const begun = new Set<Decision>();
  const visit = (decision: Decision): void => {
    if (begun.has(decision)) return;
    begun.add(decision);
    for (const parent of parents.get(decision.item.id) ?? []) visit(parent);
    ordered.add(decision);
  };
  for (const decision of gone.toSorted((a, b) => (a.item.time ?? 0) - (b.item.time ?? 0))) visit(decision);
  return [...ordered];
}

/** Bytes that only `gone` store: what a place frees sooner or later. */
export function freedBytes(gone: readonly Prunable[], kept: readonly Prunable[]): number {
  const still = new Set(kept.flatMap(({ stored }) => [...stored.keys()]));
  const freed = new Map(gone.flatMap(({ stored }) => [...stored]).filter(([id]) => !still.has(id)));
  return [...freed.values()].reduce((sum, size) => sum + size, 0);
}

/** How many things a plan removes. */
const countOf = ({ gone, renamed }: PrunePlan): number =>
  gone.length + renamed.reduce((sum, decision) => sum + goingNames(decision).length, 0);

interface Guards {
  /** As messages name the place. */
  readonly name: string;
  /** What is in it, in the singular. */
  readonly noun: string;
  /** Manifests and tags that one run may remove. */
  readonly limit: number;
  /** Whether an empty place is what is wanted. */
  readonly force: boolean;
}

/** Throws UserError `input` for a plan that takes more than the limit, or the last whole image that has a tag. */
export function checkPlan(decisions: readonly Decision[], { name, noun, limit, force }: Guards): void {
  const count = countOf(planOf(decisions));
  if (count > limit) {
    const what =
      noun === 'manifest' ? `${count} manifests and tags from ${name}` : `${countText(count, noun)} from ${name}`;
    throw new UserError('input', `the policy removes ${what}; the limit is ${limit}`, {
      hint: 'Look at what would go (dry-run), then raise limit if it is right.',
      docs: 'retention.md#what-is-never-lost',
    });
  }
  if (force || count === 0) return;
  const whole = wholeImages(decisions.map(({ item }) => item));
  const isLeft = (decision: Decision): boolean =>
    whole.has(decision.item.id) && decision.names.some(({ name: tag, goes }) => !goes && isLasting(decision.item, tag));
  const hadAny = decisions.some(({ item }) => whole.has(item.id) && item.names.some((tag) => isLasting(item, tag)));
  if (!hadAny || decisions.some(isLeft)) return;
  const left =
    noun === 'manifest'
      ? `the policy leaves no tagged image in ${name} that is whole`
      : `the policy leaves no ${noun} in ${name}`;
  throw new UserError('input', left, {
    hint: 'Keep some: keep-last, or keep-tags. To remove all of them, add force.',
    docs: 'retention.md#what-is-never-lost',
  });
}

/** Whether a name is what people count on: neither a preview's, nor that of something attached. */
const isLasting = (item: Prunable, name: string): boolean =>
  (item.whole !== undefined || !isAttachedTag(name)) && pullOf(item, name) === undefined;

/** The items that have everything they need. */
function wholeImages(items: readonly Prunable[]): ReadonlySet<string> {
  const byId = new Map(items.map((item) => [item.id, item]));
  const known = new Map<string, boolean>();
  const isWhole = (id: string): boolean => {
    const before = known.get(id);
    if (before !== undefined) return before;
    // Digests make circles impossible; other ids must not end in one.
    known.set(id, true);
    const item = byId.get(id);
    const whole = item?.needs.every(isWhole) ?? false;
    known.set(id, whole);
    return whole;
  };
  return new Set(items.map(({ id }) => id).filter(isWhole));
}
