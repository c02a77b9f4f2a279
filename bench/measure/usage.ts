/** What a command, with all that it started and waited for, took of the machine. */
export interface Usage {
  readonly wallSeconds: number;
  /** User and system time of the whole process tree. */
  readonly cpuSeconds: number;
  /** Most memory that one process of the tree held at any time, in bytes. */
  readonly largestProcess: number;
  /** Most memory that the tree held when looked at, ten times a second; pages that processes share count for each. */
  readonly tree: number;
}

/** The format for `time --format` (GNU time 1.9) that `parseTimes` reads: user and system seconds, KiB. */
export const TIME_FORMAT = '%U %S %M';

/** Reads what GNU time wrote. Throws on anything else. */
export function parseTimes(text: string): Pick<Usage, 'cpuSeconds' | 'largestProcess'> {
  const match = /^([\d.]+) ([\d.]+) (\d+)\s*$/.exec(text);
  if (!match) throw new Error(`not what GNU time writes: ${JSON.stringify(text)}`);
  const [, user, system, kibibytes] = match;
  return { cpuSeconds: Number(user) + Number(system), largestProcess: Number(kibibytes) * 1024 };
}

/** Usage of commands that ran one after another. */
export const inTurn = (usages: readonly Usage[]): Usage => ({
  wallSeconds: usages.reduce((sum, usage) => sum + usage.wallSeconds, 0),
  cpuSeconds: usages.reduce((sum, usage) => sum + usage.cpuSeconds, 0),
  largestProcess: Math.max(0, ...usages.map((usage) => usage.largestProcess)),
  tree: Math.max(0, ...usages.map((usage) => usage.tree)),
});
