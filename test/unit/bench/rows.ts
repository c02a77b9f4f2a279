import type { Measurement } from '../../../bench/measurement.ts';
import type { Row } from '../../../bench/summary.ts';

/** A row with figures that do not matter, but for those given. */
export const row = (given: Partial<Row>): Row => ({
  case: 'cold',
  subject: 'peer',
  kind: 'peer',
  codec: 'gzip',
  runs: 3,
  wallSeconds: 10,
  wallSpread: 0,
  cpuSeconds: 20,
  registryCpuSeconds: 1,
  largestProcess: 0,
  tree: 0,
  bytesSent: 0,
  requests: 0,
  layers: 1,
  outputBytes: 1000,
  ...given,
});

/** A measurement likewise. */
export const measurement = (given: Partial<Measurement>): Measurement => ({
  case: 'cold',
  subject: 'peer',
  kind: 'peer',
  codec: 'gzip',
  round: 0,
  wallSeconds: 1,
  cpuSeconds: 1,
  largestProcess: 0,
  tree: 0,
  bytesSent: 0,
  requests: 0,
  registryCpuSeconds: 0,
  layers: 1,
  outputBytes: 1,
  ...given,
});
