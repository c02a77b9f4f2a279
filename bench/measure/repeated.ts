import { median } from '../statistics.ts';
import type { Command } from './command.ts';
import { timed } from './timed.ts';
import type { Usage } from './usage.ts';

/** Runs a command once to warm up and then `runs` times; medians. */
export async function repeated(command: Command, runs: number, scratch: string): Promise<Usage> {
  await timed(command, scratch);
  const usages: Usage[] = [];
  for (let round = 0; round < runs; round += 1) usages.push(await timed(command, scratch));
  const middle = (value: (usage: Usage) => number): number => median(usages.map(value));
  return {
    wallSeconds: middle((usage) => usage.wallSeconds),
    cpuSeconds: middle((usage) => usage.cpuSeconds),
    largestProcess: middle((usage) => usage.largestProcess),
    tree: middle((usage) => usage.tree),
  };
}
