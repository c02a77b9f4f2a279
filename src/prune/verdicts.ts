import { ageText } from '../core/age.ts';
import { isAttachedTag } from '../storage/attached-tags.ts';
import type { Limit, Policy } from './policy.ts';
import type { Prunable } from './prunable.ts';
import { pullOf } from './pull-of.ts';

/** What becomes of a name or an item, and the reason in a few words. */
export interface PruneVerdict {
  readonly goes: boolean;
  readonly why: string;
}

/** What is known of a pull request; `unknown` where there is none of that number. */
export type PullState = 'open' | 'closed' | 'unknown';

/** What the rules are applied to, beside the items. */
export interface PolicyFacts {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** By number; those of all tags that are previews, where the policy asks for them. */
  readonly pulls: ReadonlyMap<number, PullState>;
  /** Whether what is guarded may go. Default: no. */
  readonly isForced?: boolean;
}

const keep = (why: string): PruneVerdict => ({ goes: false, why });
const go = (why: string): PruneVerdict => ({ goes: true, why });

/** Whether an item is a preview under a name, where previews have their rule. */
export const isPreview = (item: Prunable, name: string, { closedPreviews }: Policy): boolean =>
  closedPreviews && pullOf(item, name) !== undefined;

/** Whether the rules of limits are about a tag: neither what follows its subject nor previews, which have a rule of their own. */
const isRuled = (item: Prunable, name: string, policy: Policy): boolean =>
  (item.whole !== undefined || !isAttachedTag(name)) && !isPreview(item, name, policy);

/** The items that a rule keeps: the newest `value` of those with a tag that it is about. Equal times are in the order of digests. */
function newest({ value, tags }: Limit, items: readonly Prunable[], policy: Policy): ReadonlySet<string> {
  const dated = items.filter(
    (item) => item.time !== undefined && item.names.some((name) => isRuled(item, name, policy) && tags.matches(name)),
  );
  const sorted = dated.toSorted((a, b) => (b.time ?? 0) - (a.time ?? 0) || (a.id < b.id ? -1 : 1));
  return new Set(sorted.slice(0, value).map(({ id }) => id));
}

/**
 * What the policy says of each name of each item, by itself: whether the name stays. Names of what follows a subject have no
 * verdict here.
 */
export function tagVerdicts(
  policy: Policy,
  { now, pulls, isForced = false }: PolicyFacts,
  items: readonly Prunable[],
): (item: Prunable, name: string) => PruneVerdict {
  const lasts = policy.keepLast.map((limit) => ({ limit, ids: newest(limit, items, policy) }));
  return (item, name) => {
    const { id, time, whole } = item;
    const kept = policy.keepTags.find(({ matches }) => matches(name));
    if (kept) return keep(`keep-tags ${kept.text}`);
    const pull = policy.closedPreviews ? pullOf(item, name) : undefined;
    if (pull !== undefined) {
      const state = pulls.get(pull) ?? 'unknown';
      const text = `pull request ${pull} is ${state}`;
      return state === 'closed' ? go(text) : keep(text);
    }
    // The name that people pull by without knowing; whoever wants it gone removes it by hand.
    if (whole === undefined && name === 'latest') return keep('latest is never removed');
    if (whole?.guard !== undefined && !isForced) return keep(whole.guard);
    const used = usedReason(policy, whole?.used, now);
    if (used !== undefined) return keep(used);
    const counts = lasts.filter(({ limit }) => limit.tags.matches(name));
    const ages = policy.maxAge.filter(({ tags }) => tags.matches(name));
    if (counts.length + ages.length === 0) return keep('no rule is about it');
    if (time === undefined) return keep('its time is not known');
    const last = counts.find(({ ids }) => ids.has(id));
    if (last) return keep(`keep-last ${last.limit.text}`);
    const young = ages.find(({ value }) => now - time < value);
    if (young) return keep(`max-age ${young.text}`);
    return go([...counts.map(({ limit }) => `keep-last ${limit.text}`), ...ages.map(ageReason(now - time))].join(', '));
  };
}

/** Places tell of uses so much later (EC2 API reference, Image, LastLaunchedTime). */
const USE_LAG = 86_400_000;

function usedReason({ used: limit }: Policy, used: number | undefined, now: number): string | undefined {
  if (limit === undefined || used === undefined || now - used >= limit + USE_LAG) return undefined;
  return `it was used ${ageText(now - used)} ago`;
}

const ageReason =
  (age: number) =>
  ({ text }: Limit): string =>
    `max-age ${text}: it is ${ageText(age)} old`;

/** What becomes of an item that has no name and belongs to nothing, or whose subject is gone. */
export function untaggedVerdict(
  { untagged }: Policy,
  { now }: PolicyFacts,
  { time, about, whole }: Prunable,
): PruneVerdict {
  if (whole?.isRest !== undefined) return go(whole.isRest);
  const what = about.length > 0 ? 'its subject is gone' : (whole?.unnamed ?? 'it has no tag');
  if (untagged === undefined) return keep(`${what}; no rule is about it`);
  if (time === undefined) return keep(`${what}; its time is not known`);
  const age = now - time;
  return age < untagged ? keep(`${what}; it is ${ageText(age)} old`) : go(`${what}; it is ${ageText(age)} old`);
}
