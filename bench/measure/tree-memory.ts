import { readdirSync, readFileSync } from 'node:fs';

/** Often enough for programs that run for seconds, seldom enough to cost them nothing (a look takes 0.2 ms). */
const INTERVAL_MS = 100;

/** Linux gives statm in pages of this size on x86-64 and, as distributions configure it, on AArch64. */
const PAGE = 4096;

/** Watches the memory of process `pid` and its descendants; `stop` gives the most that was seen, in bytes. */
export function watchTree(pid: number): { stop(): number } {
  let most = 0;
  const look = (): void => {
    most = Math.max(most, treeMemory(pid));
  };
  const timer = setInterval(look, INTERVAL_MS);
  return {
    stop() {
      clearInterval(timer);
      return most;
    },
  };
}

/** Resident memory of a process and its descendants; 0 for one that is gone (proc(5): statm, task/TID/children). */
function treeMemory(pid: number): number {
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
    return pages * PAGE + childrenOf(pid).reduce((sum, child) => sum + treeMemory(child), 0);
  } catch {
    // It ended between two reads.
    return 0;
  }
}

function childrenOf(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  const lists = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8'));
  return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
}
