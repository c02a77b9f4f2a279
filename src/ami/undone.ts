import type { JournalEntry } from './journal.ts';
import type { Left } from './left.ts';

/** Something that a run has taken back, or found gone. */
export interface Undone {
  readonly region: string;
  readonly what: string;
}

const textOf = ({ region, what }: Undone): string => `${region} ${what}`;

const once = (all: readonly Undone[]): Undone[] => [...new Map(all.map((one) => [textOf(one), one])).values()];

/** What the journal of a run says was taken back, and what was gone before, each once; what is left was tried too. */
export function undoneOf(
  entries: readonly JournalEntry[],
  left: readonly Left[],
): { readonly undone: readonly Undone[]; readonly gone: readonly Undone[] } {
  const told = (event: 'undo' | 'gone'): Undone[] =>
    entries.flatMap((entry) => (entry.event === event ? [{ region: entry.region, what: entry.what }] : []));
  const gone = once(told('gone'));
  const wasGone = new Set(gone.map(textOf));
  // Of a parameter the journal says in addition what it was to be set back to.
  const isLeft = (one: Undone): boolean =>
    left.some((each) => textOf(one) === textOf(each) || textOf(one).startsWith(`${textOf(each)}: `));
  return { undone: once(told('undo')).filter((one) => !isLeft(one) && !wasGone.has(textOf(one))), gone };
}
