import type { CaseName } from './cases.ts';
import type { Measurement } from './measurement.ts';
import { median, spread } from './statistics.ts';

/** All runs of one subject in one case: medians, and how often it ran. */
export interface Row {
  readonly case: CaseName;
  readonly subject: string;
  readonly kind: Measurement['kind'];
  readonly codec: Measurement['codec'];
  readonly runs: number;
  readonly wallSeconds: number;
  /** Largest less smallest wall time, as a part of the median. */
  readonly wallSpread: number;
  readonly cpuSeconds: number;
  readonly registryCpuSeconds: number;
  readonly largestProcess: number;
  readonly tree: number;
  readonly bytesSent: number;
  readonly requests: number;
  readonly layers: number;
  readonly outputBytes: number;
}

/** One row for each case and subject, in the order in which they first ran. */
export function summarise(measurements: readonly Measurement[]): Row[] {
  const groups = Map.groupBy(measurements, (one) => `${one.case}\0${one.subject}`);
  return [...groups.values()].map(rowOf);
}

function rowOf(runs: readonly Measurement[]): Row {
  const [first] = runs;
  if (first === undefined) throw new Error('a group has members');
  const middle = (value: (one: Measurement) => number): number => median(runs.map(value));
  return {
    case: first.case,
    subject: first.subject,
    kind: first.kind,
    codec: first.codec,
    runs: runs.length,
    wallSeconds: middle((one) => one.wallSeconds),
    wallSpread: spread(runs.map((one) => one.wallSeconds)),
    cpuSeconds: middle((one) => one.cpuSeconds),
    registryCpuSeconds: middle((one) => one.registryCpuSeconds),
    // The most that was ever held is what a machine must have.
    largestProcess: Math.max(...runs.map((one) => one.largestProcess)),
    tree: Math.max(...runs.map((one) => one.tree)),
    bytesSent: middle((one) => one.bytesSent),
    requests: middle((one) => one.requests),
    layers: first.layers,
    outputBytes: middle((one) => one.outputBytes),
  };
}
