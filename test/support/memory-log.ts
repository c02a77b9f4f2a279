import type { Log } from '../../src/core/log.ts';
import { NO_SPAN } from '../../src/core/span.ts';

/** A log that keeps what it is told, to be looked at. */
export interface MemoryLog extends Log {
  readonly lines: string[];
  readonly masked: string[];
}

export const memoryLog = (): MemoryLog => {
  const lines: string[] = [];
  const masked: string[] = [];
  const keep = (text: string): void => void lines.push(text);
  return {
    lines,
    masked,
    debug: keep,
    info: keep,
    warn: keep,
    group: (_heading, work) => work(),
    progress: () => ({
      update: () => undefined,
      part: () => ({ update: () => undefined, end: () => undefined }),
      end: () => undefined,
    }),
    span: () => NO_SPAN,
    mask: (value) => void masked.push(value),
  };
};
