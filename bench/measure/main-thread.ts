import { readFileSync } from 'node:fs';
import { cpuSecondsIn } from './process-counters.ts';

/** The main thread ends with its program, so what it took after the last look is lost. */
const INTERVAL_MS = 20;

/** Watches the CPU time of the main thread of what process `pid` has started; `stop` gives its seconds when it was last looked at. */
export function watchMainThread(pid: number): { stop(): number } {
  let seconds = 0;
  const look = (): void => {
    try {
      const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
      seconds = cpuSecondsIn(readFileSync(`/proc/${child}/task/${child}/stat`, 'utf8'));
    } catch {
      // It has not begun, or is gone.
    }
  };
  const timer = setInterval(look, INTERVAL_MS);
  return {
    stop() {
      clearInterval(timer);
      return seconds;
    },
  };
}
