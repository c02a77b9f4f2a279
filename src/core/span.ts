/** What a span says of itself beside its name; sizes in bytes. */
export type SpanFacts = Readonly<Record<string, string | number>>;

/** Rows of a trace: what runs at the same time in one of them gets a row of its own. */
export type Track = 'steps' | 'programs' | 'layers' | 'sending' | 'requests';

/** A piece of work whose time is taken. */
export interface SpanStart {
  readonly track: Track;
  readonly name: string;
  readonly facts?: SpanFacts;
  /** The row, where it means something: a thread's number from 0 on. Default: the first that is free. */
  readonly row?: number;
}

/** A piece of work that has begun. */
export interface Span {
  /** Ends it, with what is known now. Once; later calls do nothing. */
  end(facts?: SpanFacts): void;
}

export const NO_SPAN: Span = { end: () => {} };

/** Takes the time of `work`, whatever comes of it. */
export async function timed<T>(
  log: { span(start: SpanStart): Span },
  start: SpanStart,
  work: () => Promise<T>,
): Promise<T> {
  const span = log.span(start);
  try {
    return await work();
  } finally {
    span.end();
  }
}
