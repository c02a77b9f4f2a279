import { readFile } from 'node:fs/promises';

/** What a running process has done so far. */
export interface ProcessCounters {
  readonly cpuSeconds: number;
  /** Bytes that it got from read calls, from files and sockets alike. */
  readonly bytesRead: number;
}

/** Ticks of /proc/PID/stat in a second: USER_HZ, which Linux fixes at 100 towards programs. */
const TICKS = 100;

/** User and system time in the text of /proc/PID/stat or /proc/PID/task/TID/stat (proc(5)); not a number where it is none. */
export function cpuSecondsIn(stat: string): number {
  // The name in parentheses may hold spaces and parentheses itself; fields count from after it, the third being the first.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** The counters in the texts of /proc/PID/stat and /proc/PID/io (proc(5)). Throws when they are not there. */
export function parseCounters(stat: string, io: string): ProcessCounters {
  const cpuSeconds = cpuSecondsIn(stat);
  const bytesRead = Number(/^rchar: (\d+)$/m.exec(io)?.[1]);
  if (Number.isNaN(cpuSeconds + bytesRead)) throw new Error('the counters of a process cannot be read');
  return { cpuSeconds, bytesRead };
}

/** Reads the counters of a process, which must be one's own or root's to look at. */
export async function countersOf(pid: number): Promise<ProcessCounters> {
  return parseCounters(await readFile(`/proc/${pid}/stat`, 'utf8'), await readFile(`/proc/${pid}/io`, 'utf8'));
}
