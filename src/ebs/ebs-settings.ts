import { availableParallelism } from 'node:os';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import type { SnapshotState } from './await-completed.ts';
import { type AskKeys, AwsSession } from './aws-session.ts';
import { EbsClient } from './ebs-client.ts';
import { EbsSender } from './ebs-request.ts';
import { EBS_LIMITS, type EbsLimits } from './persist.ts';

/** What uploads to a region need of the world. */
export interface EbsSettings extends Pick<Effects, 'fetch' | 'log' | 'clock' | 'signal'> {
  readonly region: string;
  /** What AWS_ENDPOINT_URL_EBS or AWS_ENDPOINT_URL says. Default: AWS's own of the region. */
  readonly endpoint?: string | undefined;
  /** Who we are: `config.credentials` of any client of AWS's. */
  readonly credentials: AskKeys;
  /** This program, for threads of it. */
  readonly program: URL;
  /** Threads at most. Default: one for each processor, at most four. */
  readonly threads?: number | undefined;
  /** Requests under way at once at most. Default: 32. */
  readonly requests?: number | undefined;
  /** What EC2 says of a snapshot of ours (DescribeSnapshots). */
  snapshotState(snapshotId: string): Promise<SnapshotState>;
  /** Deletes a snapshot (DeleteSnapshot); one that is gone is no error. */
  deleteSnapshot(snapshotId: string): Promise<void>;
  /** A folder that outlives the run, where records of what was sent are kept. Default: none; a run that was cut off sends all blocks again. */
  readonly recordFolder?: string | undefined;
  /** Blocks that are read back from what is completed; 0 for none. Default: 4. */
  readonly readBack?: number | undefined;
  /** Milliseconds that AWS may take to complete a snapshot. Default: an hour. */
  readonly completionTime?: number | undefined;
  readonly limits?: Partial<EbsLimits> | undefined;
}

/** A region's interface, opened. */
export interface SnapshotApi {
  readonly settings: EbsSettings;
  readonly endpoint: string;
  readonly session: AwsSession;
  readonly client: EbsClient;
  readonly limits: EbsLimits;
  readonly threads: number;
  readonly requests: number;
}

const REGION = /^[a-z]{2,4}(?:-[a-z]+)+-\d{1,2}$/;

/** Where AWS's partitions have their hosts ("AWS service endpoints"); the others, as the first. */
const SUFFIXES: readonly (readonly [start: string, suffix: string])[] = [
  ['cn-', 'amazonaws.com.cn'],
  ['eusc-', 'amazonaws.eu'],
  ['', 'amazonaws.com'],
];

/** @internal Throws UserError `input` for what is not the name of a region. */
export function endpointOf(region: string): string {
  if (!REGION.test(region)) {
    throw new UserError('input', `${JSON.stringify(region)} is not a valid region`, {
      hint: 'Write it as eu-central-1.',
    });
  }
  const [, suffix] = SUFFIXES.find(([start]) => region.startsWith(start)) ?? [];
  return `https://ebs.${region}.${suffix}`;
}

/**
 * A snapshot takes 1000 blocks a second, and so does an account. Each request holds its block in memory, and an answer takes some tens of milliseconds, so
 * these are 1.3 Gbit/s at 100 ms and all that a snapshot takes at 30.
 */
const MOST_REQUESTS = 32;

/** More of them would sign faster than any network of theirs sends. */
const MOST_THREADS = 4;

export function openApi(settings: EbsSettings): SnapshotApi {
  const { region, fetch, clock, signal, credentials, log } = settings;
  const own = endpointOf(region);
  const endpoint = settings.endpoint?.replace(/\/+$/, '') ?? own;
  const session = new AwsSession(credentials, clock);
  const sender = new EbsSender({ fetch, endpoint, region, session, signal });
  const limits = { ...EBS_LIMITS, ...settings.limits };
  return {
    settings,
    endpoint,
    session,
    client: new EbsClient(sender, region, { clock, signal, log, limits }),
    limits,
    threads: settings.threads ?? Math.min(availableParallelism(), MOST_THREADS),
    requests: settings.requests ?? MOST_REQUESTS,
  };
}
