import { hash } from 'node:crypto';
import { z } from 'zod';
import { decodeJson } from '../core/decode-json.ts';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import { BLOCK_BYTES } from '../disk/block-list.ts';
import { type EbsAction, type EbsStep, isNotPending } from './ebs-failure.ts';
import type { EbsRequest, EbsSender } from './ebs-request.ts';
import { type EbsLimits, type PersistOptions, persist } from './persist.ts';

/** A snapshot as StartSnapshot is asked for it. */
export interface SnapshotRequest {
  readonly VolumeSize: number;
  readonly ClientToken: string;
  readonly Timeout: number;
  readonly Description?: string;
  readonly ParentSnapshotId?: string;
  readonly Encrypted?: true;
  readonly KmsKeyArn?: string;
  readonly Tags?: readonly { readonly Key: string; readonly Value: string }[];
}

/** What goes into paths of requests and names of files. */
const snapshotId = z.string().regex(/^snap-[0-9a-f]{8,32}$/);

const startedSchema = z.looseObject({
  SnapshotId: snapshotId,
  BlockSize: z.literal(BLOCK_BYTES),
  Status: z.string(),
  /** Seconds since 1970. */
  StartTime: z.number(),
  VolumeSize: z.number(),
  ParentSnapshotId: z.string().optional(),
  KmsKeyArn: z.string().optional(),
});

/** What was started: decides whether blocks may be left out. */
export type StartedSnapshot = z.infer<typeof startedSchema>;

const listedSchema = z.looseObject({
  Blocks: z.array(z.looseObject({ BlockIndex: z.number(), BlockToken: z.string() })).optional(),
  NextToken: z.string().nullish(),
});

/** The service lists at least so many at once. */
const LISTED = 100;

/** Pages of a list that may be empty and name another (EBS direct APIs, ListSnapshotBlocks): more is a circle. */
const EMPTY_PAGES = 1000;

/** The EBS direct APIs of a region, but for the blocks themselves. All throws EbsError, once no other try can help. */
export class EbsClient {
  readonly #sender: EbsSender;
  readonly #region: string;
  readonly #effects: Pick<Effects, 'clock' | 'signal' | 'log'>;
  readonly #limits: EbsLimits;

  constructor(
    sender: EbsSender,
    region: string,
    { limits, ...effects }: Pick<Effects, 'clock' | 'signal' | 'log'> & { readonly limits: EbsLimits },
  ) {
    this.#sender = sender;
    this.#region = region;
    this.#effects = effects;
    this.#limits = limits;
  }

  /** Starts a snapshot, or finds the one that the token stands for. Learns the service's time. */
  async start(request: SnapshotRequest): Promise<StartedSnapshot> {
    const step = this.#step('StartSnapshot', 'cannot start a snapshot');
    const { body, headers } = await this.#send({
      step,
      method: 'POST',
      path: '/snapshots',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
    });
    const date = Date.parse(headers.get('date') ?? '');
    if (!Number.isNaN(date)) this.#sender.session.learnTime(date);
    return this.#decode(body, startedSchema, step);
  }

  /** Ends the writing; `checksum` as LINEAR has it, undefined where nothing was written. */
  async complete(snapshotId: string, count: number, checksum: string | undefined): Promise<void> {
    // Where an answer was lost, the snapshot may be complete, and is not pending then for the next try.
    let mayBeDone = false;
    await this.#send(
      {
        step: this.#step('CompleteSnapshot', `cannot complete ${snapshotId}`),
        method: 'POST',
        path: `/snapshots/completion/${snapshotId}`,
        headers: {
          'x-amz-changedblockscount': String(count),
          ...(checksum === undefined
            ? {}
            : {
                'x-amz-checksum': checksum,
                'x-amz-checksum-algorithm': 'SHA256',
                'x-amz-checksum-aggregation-method': 'LINEAR',
              }),
        },
        // Without a body it would be sent twice where the connection ends, and nobody told.
        body: '',
      },
      {
        onFailure: ({ code, status = 0 }) => {
          mayBeDone ||= code === 'Unreached' || code === 'TimedOut' || status >= 500;
        },
      },
    ).catch((error: unknown) => {
      if (!mayBeDone || !isNotPending(error)) throw error;
    });
  }

  /** The token by which a block is read; undefined where the snapshot does not have it. */
  async blockToken(snapshotId: string, block: number): Promise<string | undefined> {
    const step = this.#step('ListSnapshotBlocks', `cannot list the blocks of ${snapshotId}`);
    let page: string | undefined;
    for (let pages = 0; pages < EMPTY_PAGES; pages += 1) {
      const query = { startingBlockIndex: String(block), ...(page === undefined ? {} : { pageToken: page }) };
      const { body } = await this.#send({
        step,
        method: 'GET',
        path: `/snapshots/${snapshotId}/blocks`,
        query: { maxResults: String(LISTED), ...query },
      });
      const { Blocks = [], NextToken } = this.#decode(body, listedSchema, step);
      const found = Blocks.find(({ BlockIndex }) => BlockIndex === block);
      if (found) return found.BlockToken;
      if (Blocks.length > 0 || !NextToken) return undefined;
      page = NextToken;
    }
    throw new UserError('registry', `${step.what} in ${this.#region}: ${EMPTY_PAGES} pages in a row are empty`);
  }

  /** SHA-256 of a block's bytes as they are read back, base64. */
  async blockChecksum(snapshotId: string, block: number, token: string): Promise<string> {
    const { body } = await this.#send({
      step: this.#step('GetSnapshotBlock', `cannot read block ${block} of ${snapshotId}`),
      method: 'GET',
      path: `/snapshots/${snapshotId}/blocks/${block}`,
      query: { blockToken: token },
    });
    return hash('sha256', body, 'base64');
  }

  #step(action: EbsAction, what: string): EbsStep {
    return { action, what, region: this.#region };
  }

  /** Whatever is asked of is a snapshot of our own, which may not be known everywhere yet. */
  #send(request: EbsRequest, { onFailure }: Pick<PersistOptions, 'onFailure'> = {}) {
    const { clock, signal, log } = this.#effects;
    return persist(this.#sender, request, {
      clock,
      signal,
      limits: this.#limits,
      unknown: request.step.action === 'StartSnapshot' ? 0 : this.#limits.unknown,
      onFailure: (failure, verdict) => {
        const { what, code, message } = failure;
        if (verdict !== 'stop') log.debug(`${what} in ${this.#region}: ${code}: ${message}`);
        return onFailure?.(failure, verdict);
      },
    });
  }

  #decode<T>(body: Uint8Array, schema: z.ZodType<T>, { what, action }: EbsStep): T {
    return decodeJson(body, schema, {
      code: 'registry',
      what: `${what} in ${this.#region}: the answer to ${action}`,
    });
  }
}
