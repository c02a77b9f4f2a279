import { BOUNDS } from './bounds.ts';
import { tarCommand } from './inputs/inputs.ts';
import { type Piped, piped } from './measure/pipeline.ts';
import type { Result } from './result.ts';
import { median } from './statistics.ts';
import { inTurns } from './turns.ts';

/** Every bound in turn, `runs` times; medians. */
export async function measureBounds(
  list: string,
  runs: number,
  scratch: string,
  log: (line: string) => void,
): Promise<Result['bounds']> {
  const found = new Map<string, Piped[]>();
  for (const { thing, round } of inTurns(BOUNDS, runs, () => false)) {
    const one = await piped(tarCommand(list, '-'), thing.command, scratch);
    found.set(thing.name, [...(found.get(thing.name) ?? []), one]);
    log(`tar | ${thing.name}, ${round + 1}: ${one.wallSeconds.toFixed(2)} s`);
  }
  return [...found].map(([name, all]) => ({
    name,
    wallSeconds: median(all.map((one) => one.wallSeconds)),
    cpuSeconds: median(all.map((one) => one.from.cpuSeconds + one.to.cpuSeconds)),
    outputBytes: median(all.map((one) => one.outputBytes)),
    runs: all.length,
  }));
}
