import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

/** What figures depend on beside the programs. */
export const machineSchema = z.strictObject({
  cpu: z.string(),
  cores: z.int(),
  memoryBytes: z.int(),
  kernel: z.string(),
  distribution: z.string(),
  codename: z.string(),
});

export type Machine = z.infer<typeof machineSchema>;

/** Looks at this machine. */
export async function thisMachine(): Promise<Machine> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const field = (name: string): string => new RegExp(`^${name}="?([^"\\n]*)"?$`, 'm').exec(text)?.[1] ?? 'unknown';
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    distribution: field('PRETTY_NAME'),
    codename: field('VERSION_CODENAME'),
  };
}

/** Load over the last minute. Figures are to be trusted only when it was low at the start. */
export const load = (): number => loadavg()[0] ?? 0;

/** Above this load the figures of a run do not count: others are at work. */
export const QUIET = 0.5;

/** Milliseconds that are enough for the load of the preparation itself to pass. */
const SETTLING = 300_000;

/** Waits until the machine is quiet, or for as long as the preparation may still be felt; gives the load then. */
export async function quiet(log: (line: string) => void): Promise<number> {
  const end = Date.now() + SETTLING;
  if (load() >= QUIET) log(`waiting until the machine is quiet; its load is ${load()}`);
  while (load() >= QUIET && Date.now() < end) await sleep(5_000);
  return load();
}
