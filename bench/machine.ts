import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
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
