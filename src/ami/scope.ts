import type { JournalEntry, StepEffect } from './journal.ts';

/** What may have to be taken back, as a journal tells it. */
export interface UndoScope {
  readonly account: string;
  readonly regions: readonly string[];
  readonly places: readonly ScopedPlace[];
  /** What steps made or changed, or may have. */
  readonly effects: readonly ScopedEffect[];
  /** Regions in which something was sent and no answer is known: what it made may become visible yet. */
  readonly unanswered: ReadonlySet<string>;
  /** Uploads that began, and of which no snapshot is known. */
  readonly uploads: readonly ScopedUpload[];
}

/** An upload, as steps have it: one a disk. */
interface ScopedUpload {
  readonly region: string;
  readonly content: string;
}

interface ScopedPlace {
  readonly region: string;
  readonly content: string;
  readonly disk: string;
  /** Whether the disk was published somewhere before the run. */
  readonly isLive: boolean;
  readonly parameters: readonly string[];
}

/** `at`: when the journal told of it. */
export type ScopedEffect = StepEffect & { readonly region: string; readonly at: number };

/** Steps of which an answer that was lost leaves something behind. */
const MAKING = ['snapshot', 'register', 'copy', 'parameter'];

/** What the entries of one journal, or of several runs of it, say. */
export function undoScopeOf(entries: readonly JournalEntry[]): UndoScope {
  const begins = entries.filter((entry) => entry.event === 'begin');
  const open = new Map<string, ScopedUpload & { readonly kind: string }>();
  const effects: ScopedEffect[] = [];
  for (const entry of entries) {
    if (entry.event === 'before') {
      if (MAKING.includes(entry.kind)) open.set(entry.step, entry);
      if (entry.planned) effects.push({ ...entry.planned, region: entry.region, at: entry.time });
    } else if (entry.event === 'failed') {
      if (entry.isAnswered) open.delete(entry.step);
    } else if (entry.event === 'after') {
      open.delete(entry.step);
      if (entry.effect) effects.push({ ...entry.effect, region: entry.region, at: entry.time });
    }
  }
  return {
    account: begins[0]?.account ?? '',
    regions: [...new Set(begins.flatMap(({ regions }) => regions))],
    places: begins.flatMap(({ places }) => places),
    effects,
    unanswered: new Set([...open.values()].map(({ region }) => region)),
    uploads: [...open.values()].filter(({ kind }) => kind === 'snapshot'),
  };
}
