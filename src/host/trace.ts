import type { Span, SpanFacts, SpanStart, Track } from '../core/span.ts';

/** Rows as viewers name them, in the order in which they are shown. */
const TRACKS: Readonly<Record<Track, string>> = {
  steps: 'steps',
  programs: 'programs',
  layers: 'thread of layers',
  sending: 'layers being sent',
  requests: 'requests',
};

/** Numbers of the rows of one track; more rows than that at once have never a use on a screen. */
const ROWS = 1000;

/** All is one process to a viewer. */
const PID = 1;

const MICROSECONDS = 1000;

/** An event of the trace event format, as far as it is written here: complete ("X"), and names ("M"). */
interface TraceEvent {
  readonly name: string;
  readonly ph: 'X' | 'M';
  readonly pid: number;
  readonly tid: number;
  readonly cat: string;
  /** Microseconds since the trace began. */
  readonly ts: number;
  readonly dur?: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

/** A trace as Perfetto and Chrome's developer tools read it ("Trace Event Format", JSON object format). */
interface TraceDocument {
  readonly displayTimeUnit: 'ms';
  readonly otherData: SpanFacts;
  readonly traceEvents: readonly TraceEvent[];
}

interface Begun {
  readonly start: SpanStart;
  readonly at: number;
  readonly row: number;
}

/** Takes times, and gives them as a trace. */
export interface Trace {
  begin(start: SpanStart): Span;
  /** All of it, below one span of the whole command; what has not ended by then ends now and says so. */
  document(command: string, facts: SpanFacts): TraceDocument;
}

/**
 * A trace that begins now. Spans of one row never overlap, for viewers draw what overlaps as if one had called the other, as the command
 * does the steps: each takes the first row of its track that is free. `now` in milliseconds, never going back.
 */
export function startTrace(now: () => number): Trace {
  const origin = now();
  const open = new Set<Begun>();
  const events: TraceEvent[] = [];
  const rows = new Map<Track, boolean[]>();
  const close = (begun: Begun, facts: SpanFacts = {}): void => {
    if (!open.delete(begun)) return;
    const { start, at, row } = begun;
    const taken = rows.get(start.track);
    if (taken) taken[row] = false;
    events.push({
      name: start.name,
      cat: start.track,
      ph: 'X',
      ...{ pid: PID, tid: rowId(start.track, row) },
      ...{ ts: whole(at - origin), dur: whole(now() - at) },
      args: { ...start.facts, ...facts },
    });
  };
  return {
    begin: (start) => {
      const taken = rows.get(start.track) ?? [];
      rows.set(start.track, taken);
      const free = taken.indexOf(false);
      const wanted = start.row !== undefined && taken[start.row] !== true ? start.row : undefined;
      const row = wanted ?? (free < 0 ? taken.length : free);
      for (let at = taken.length; at < row; at++) taken[at] = false;
      taken[row] = true;
      const begun: Begun = { start, at: now(), row };
      open.add(begun);
      return { end: (facts) => close(begun, facts) };
    },
    document: (command, facts) => {
      for (const begun of [...open]) close(begun, { ended: 'no' });
      if (!rows.has('steps')) rows.set('steps', [false]);
      // What the steps are part of, and how long it took. Rows are where a viewer puts them: Chrome's Performance panel goes by their number of events.
      const all: TraceEvent = {
        ...{ name: command, cat: 'command', ph: 'X', pid: PID, tid: rowId('steps', 0) },
        ...{ ts: 0, dur: whole(now() - origin), args: {} },
      };
      return { displayTimeUnit: 'ms', otherData: facts, traceEvents: [...names(rows), all, ...inOrder(events)] };
    },
  };
}

const whole = (milliseconds: number): number => Math.round(milliseconds * MICROSECONDS);

const rowId = (track: Track, row: number): number => (Object.keys(TRACKS).indexOf(track) + 1) * ROWS + row;

/** By time; of two that began at once in a row, the first has no length. */
const inOrder = (events: readonly TraceEvent[]): readonly TraceEvent[] =>
  [...events].sort((a, b) => a.ts - b.ts || (a.dur ?? 0) - (b.dur ?? 0));

function* names(rows: ReadonlyMap<Track, readonly boolean[]>): Generator<TraceEvent> {
  const name = (what: string, tid: number, args: Readonly<Record<string, unknown>>): TraceEvent => ({
    // As Chrome itself writes them: readers take a category and a time for granted.
    ...{ name: what, cat: '__metadata', ph: 'M', pid: PID, tid, ts: 0, args },
  });
  yield name('process_name', 0, { name: 'nix-images' });
  for (const track of Object.keys(TRACKS) as Track[]) {
    for (const row of rows.get(track)?.keys() ?? []) {
      const tid = rowId(track, row);
      yield name('thread_name', tid, { name: `${TRACKS[track]} ${row + 1}` });
      yield name('thread_sort_index', tid, { sort_index: tid });
    }
  }
}
