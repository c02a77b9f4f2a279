import { UserError } from '../core/error.ts';
import { sum } from '../core/sum.ts';

/** How many images a build job builds: as many as it takes, one, or so many. */
export type BatchChoice = 'auto' | 'none' | number;

/** Reads `auto`, `none` or a number of images. Throws UserError `input`. */
export function parseBatch(text: string): BatchChoice {
  if (text === 'auto' || text === 'none') return text;
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new UserError('input', `batch: ${JSON.stringify(text)} is not a valid batch`, {
    hint: 'Write auto, none, or how many images a build job builds, such as 4.',
  });
}

/** @internal An image for one system that is to be built. */
export interface BatchItem {
  readonly name: string;
  /** Only those of one kind go into one job: they need the same machine and the same arguments. No two of a kind have one name. */
  readonly kind: string;
  /** Whether it needs a job of its own. */
  readonly isAlone: boolean;
  /** What it is made of: the more two have in common, the rather they go together. */
  readonly parts: ReadonlySet<string>;
}

interface Limits {
  readonly batch: BatchChoice;
  /** Build jobs at most, where that can be. */
  readonly maxJobs: number;
}

/**
 * What each build job builds: one image as long as there are no more than `maxJobs`, else those together that have most in common. A pure
 * function of the items, whatever their order; batches and their images are in the order of the names.
 */
export function batchesOf<T extends BatchItem>(items: readonly T[], { batch, maxJobs }: Limits): T[][] {
  const sorted = [...items].sort(byName);
  const kinds = [...Map.groupBy(sorted, ({ kind, name, isAlone }) => (isAlone ? `${kind} ${name}` : kind)).values()];
  if (batch === 'none') return sorted.map((item) => [item]);
  const wanted = kinds.map(({ length }) => (batch === 'auto' ? length : Math.ceil(length / batch)));
  const counts = withinLimit(wanted, maxJobs);
  const batches = kinds.flatMap((alike, at) => inBatches(alike, counts[at] ?? 1));
  return batches.sort(([a], [b]) => (a && b ? byName(a, b) : 0));
}

const byName = (a: BatchItem, b: BatchItem): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : 0;

/** Takes one job after another from those who have most, until there are no more than `most`; one stays for each. */
function withinLimit(wanted: readonly number[], most: number): number[] {
  const counts = [...wanted];
  for (let left = sum(counts) - most; left > 0; left--) {
    const largest = Math.max(...counts);
    if (largest <= 1) break;
    counts[counts.lastIndexOf(largest)] = largest - 1;
  }
  return counts;
}

/** `count` batches of about equal length. */
function inBatches<T extends BatchItem>(items: readonly T[], count: number): T[][] {
  const holders = holdersOf(items);
  const left = new Set(items);
  return Array.from({ length: count }, (_, at) => {
    const batch: T[] = [];
    const parts = new Set<string>();
    // Counted up with each part that joins the batch: to compare all parts of all items each time takes half a minute for 1000 images.
    const common = new Map<T, number>();
    for (let room = Math.ceil(left.size / (count - at)); room > 0; room--) {
      const next = nearest(left, common);
      if (next === undefined) break;
      left.delete(next);
      batch.push(next);
      for (const part of next.parts) {
        if (parts.has(part)) continue;
        parts.add(part);
        for (const item of holders.get(part) ?? []) common.set(item, (common.get(item) ?? 0) + 1);
      }
    }
    return batch.sort(byName);
  });
}

/** The items that are made of each part. */
function holdersOf<T extends BatchItem>(items: readonly T[]): ReadonlyMap<string, readonly T[]> {
  const holders = new Map<string, T[]>();
  for (const item of items) {
    for (const part of item.parts) {
      const those = holders.get(part);
      if (those) those.push(item);
      else holders.set(part, [item]);
    }
  }
  return holders;
}

/** The first of those that have most in common with a batch. */
function nearest<T>(items: ReadonlySet<T>, common: ReadonlyMap<T, number>): T | undefined {
  let best: { readonly item: T; readonly count: number } | undefined;
  for (const item of items) {
    const count = common.get(item) ?? 0;
    if (best === undefined || count > best.count) best = { item, count };
  }
  return best?.item;
}
