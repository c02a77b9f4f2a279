import { z } from 'zod';
import { FIXTURES, type FixtureName } from './fixture/fixture.ts';
import { machineSchema } from './machine.ts';
import { measurementSchema } from './measurement.ts';
import { OWN_CODECS } from './subjects/own.ts';

const usageSchema = z.strictObject({
  wallSeconds: z.number(),
  cpuSeconds: z.number(),
  largestProcess: z.number(),
  tree: z.number(),
});

const stepsSchema = z.strictObject({
  readAndTar: z.number(),
  hashTar: z.number(),
  compress: z.number(),
  hashLayers: z.number(),
  send: z.number(),
  registry: z.number(),
});

/** Everything one run of the benchmark found; what results/ keeps. */
export const resultSchema = z.strictObject({
  schemaVersion: z.literal(1),
  /** ISO 8601, when it began. */
  date: z.string(),
  machine: machineSchema,
  versions: z.record(z.string(), z.string()),
  /** Of the checkout; with `-dirty` where it had changes. */
  commit: z.string(),
  loadBefore: z.number(),
  fixture: z.strictObject({
    name: z.enum(Object.keys(FIXTURES) as [FixtureName, ...FixtureName[]]),
    paths: z.int(),
    layers: z.int(),
    unpackedBytes: z.int(),
  }),
  runs: z.int(),
  /** `nix eval` of the definition alone. */
  evaluation: usageSchema,
  /** Making the layers without compressing them, in one process. */
  layersPass: usageSchema,
  floors: z.partialRecord(z.enum(OWN_CODECS), stepsSchema),
  bounds: z.array(
    z.strictObject({
      name: z.string(),
      wallSeconds: z.number(),
      cpuSeconds: z.number(),
      outputBytes: z.number(),
      runs: z.int(),
    }),
  ),
  measurements: z.array(measurementSchema),
  failures: z.array(z.strictObject({ case: z.string(), subject: z.string(), message: z.string() })),
});

export type Result = z.infer<typeof resultSchema>;
