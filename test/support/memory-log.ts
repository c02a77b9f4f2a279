import type { Log } from '../../src/core/log.ts';
import { quietLog } from './quiet-log.ts';

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
    ...quietLog(keep),
    lines,
    masked,
    debug: keep,
    info: keep,
    mask: (value) => void masked.push(value),
  };
};
