import { z } from 'zod';
import { CASE_NAMES } from './cases.ts';

/** One run of one subject in one case. Sizes in bytes. */
export const measurementSchema = z.strictObject({
  case: z.enum(CASE_NAMES),
  subject: z.string(),
  kind: z.enum(['own', 'peer']),
  codec: z.enum(['gzip', 'zstd']),
  round: z.int(),
  wallSeconds: z.number(),
  /** Of the client and all that it started; the registry's is apart. */
  cpuSeconds: z.number(),
  largestProcess: z.number(),
  tree: z.number(),
  /** What the registry read: requests with their bodies, and some kilobytes of its own files. */
  bytesSent: z.number(),
  requests: z.int(),
  registryCpuSeconds: z.number(),
  layers: z.int(),
  /** Sum of the image's layers as stored. */
  outputBytes: z.number(),
});

export type Measurement = z.infer<typeof measurementSchema>;
