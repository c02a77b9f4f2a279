import { z } from 'zod';

/** What a fault can hit: a method of a service, or an operation on a blob. */
export const ROUTES = [
  'CreateArtifact',
  'FinalizeArtifact',
  'ListArtifacts',
  'GetSignedArtifactURL',
  'DeleteArtifact',
  'CreateCacheEntry',
  'FinalizeCacheEntryUpload',
  'GetCacheEntryDownloadURL',
  'PutBlob',
  'PutBlock',
  'PutBlockList',
  'GetBlob',
  'HeadBlob',
] as const;

export type Route = (typeof ROUTES)[number];

const kindSchema = z.discriminatedUnion('kind', [
  /** Answers without doing what was asked. A body that is no text is sent as JSON. */
  z.object({
    kind: z.literal('status'),
    status: z.int(),
    headers: z.record(z.string(), z.string()).optional(),
    body: z.union([z.string(), z.record(z.string(), z.unknown())]).optional(),
  }),
  /** Reads so many bytes of the request's body, then ends the connection; nothing is kept. */
  z.object({ kind: z.literal('cut-upload'), after: z.int() }),
  /** Sends so many bytes of the blob, then ends the connection. */
  z.object({ kind: z.literal('cut-download'), after: z.int() }),
  /** Does what was asked and ends the connection without an answer. */
  z.object({ kind: z.literal('lose-answer') }),
  /** Waits before it looks at the request. */
  z.object({ kind: z.literal('slow'), milliseconds: z.int() }),
  /** Hands out a URL that has expired; for a blob: takes its URL as expired. */
  z.object({ kind: z.literal('expired') }),
  /** Changes one byte in the middle of the blob that is sent. */
  z.object({ kind: z.literal('corrupt') }),
]);

export const faultSchema = z.intersection(
  kindSchema,
  z.object({
    route: z.enum(ROUTES),
    /** How many requests it hits; one unless said otherwise. */
    times: z.int().positive().optional(),
    /** How many matching requests go well before. */
    skip: z.int().nonnegative().optional(),
  }),
);

export type Fault = z.infer<typeof faultSchema>;

/** The faults that are still to come. */
export class FaultPlan {
  readonly #entries: { readonly fault: Fault; skip: number; times: number }[] = [];

  add(fault: Fault): void {
    this.#entries.push({ fault, skip: fault.skip ?? 0, times: fault.times ?? 1 });
  }

  /** The fault for a request, if there is one; using it counts. */
  take(route: Route): Fault | undefined {
    for (const entry of this.#entries) {
      if (entry.fault.route !== route || entry.times === 0) continue;
      if (entry.skip > 0) {
        entry.skip -= 1;
        continue;
      }
      entry.times -= 1;
      return entry.fault;
    }
    return undefined;
  }
}
