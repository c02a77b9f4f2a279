import { partBytes } from '../aws/object-parts.ts';
import { BLOCK_BYTES } from '../disk/block-list.ts';
import type { Estimate, StepKind } from './step.ts';
import type { Wanted, WantedDisk } from './wanted.ts';

/** Dollars of 1,000 blocks that are written (EBS pricing, "EBS direct APIs for Snapshots", PutSnapshotBlock, us-east-1, November 2026). */
const WRITE_PRICE = 0.006;

/** Dollars of 1,000 parts that are stored (S3 pricing, "PUT requests", us-east-1); what is stored for half an hour costs less than a cent for 10 GB. */
const PART_PRICE = 0.005;

/** Dollars of a GB that leaves a region for another (EC2 pricing, "Data transfer", us-east-1; 0.01 to 0.14 elsewhere). */
const TRANSFER_PRICE = 0.02;

/** Dollars of a GB that is copied within a set time of an hour or less (EBS pricing, "time-based snapshot copies"; slower ones cost less). */
const TIMED_PRICE = 0.02;

/** Dollars of an hour of the smallest instances, t3.nano and t4g.nano (EC2 pricing, us-east-1). */
const INSTANCE_PRICE = 0.0052;

const GB = 1e9;

/** Bytes a second: EBS takes 1,000 blocks a second of one snapshot, and runners rarely more than a Gbit/s. */
const UPLOAD_RATE = 100e6;

/** Bytes a second of a copy between regions, as users report it: 4 GB take some ten minutes. */
const COPY_RATE = 8e6;

/** Seconds that a copy takes at the least. */
const LEAST_COPY = 120;

/** Seconds of an import, whatever the size: users report 5 to 20 minutes (osbuild/osbuild-composer 500, nanovms/ops 799). */
const IMPORT_SECONDS = 900;

/** Requests of an import beside its parts and looks: begin and complete the object, import it, tag the snapshot, delete the object. */
const IMPORT_REQUESTS = 5;

/** Seconds between looks at what takes minutes. */
const POLL_SECONDS = 30;

const NOTHING: Estimate = { requests: 0, bytes: 0, seconds: 0, dollars: 0 };

/** Requests of a step that sets something and looks whether it is so. */
const SET_AND_LOOK = 2;

/** Seconds that a permission, a parameter or a time takes to be seen. */
const SETTLING = 5;

const change: Estimate = { ...NOTHING, requests: SET_AND_LOOK, seconds: SETTLING };

function uploadOf(dataBytes: number): Estimate {
  const blocks = Math.ceil(dataBytes / BLOCK_BYTES);
  return {
    requests: blocks + SET_AND_LOOK,
    bytes: blocks * BLOCK_BYTES,
    seconds: Math.ceil(dataBytes / UPLOAD_RATE),
    dollars: (blocks / 1000) * WRITE_PRICE,
  };
}

/** Through S3 a disk goes whole, zeros included. */
function importOf({ bytes }: WantedDisk): Estimate {
  const parts = Math.ceil(bytes / partBytes(bytes, BLOCK_BYTES));
  return {
    requests: parts + IMPORT_REQUESTS + Math.ceil(IMPORT_SECONDS / POLL_SECONDS),
    bytes,
    seconds: Math.ceil(bytes / UPLOAD_RATE) + IMPORT_SECONDS,
    dollars: (parts / 1000) * PART_PRICE,
  };
}

function copyOf({ dataBytes }: WantedDisk, minutes: number | null): Estimate {
  const price = TRANSFER_PRICE + (minutes === null ? 0 : TIMED_PRICE);
  return { ...NOTHING, requests: 1, seconds: 1, dollars: (dataBytes / GB) * price };
}

function copyWait({ dataBytes }: WantedDisk, minutes: number | null): Estimate {
  const seconds = Math.max(LEAST_COPY, Math.min(dataBytes / COPY_RATE, (minutes ?? Number.POSITIVE_INFINITY) * 60));
  return { ...NOTHING, requests: Math.ceil(seconds / POLL_SECONDS), seconds: Math.ceil(seconds) };
}

interface EstimateOptions {
  /** Of `wait`, whether it is for a copy. */
  readonly isCopy?: boolean;
  readonly copyMinutes: number | null;
  readonly upload: Wanted['upload'];
  /** Of `snapshot`, what differs from a parent. Default: all data of the disk. */
  readonly bytesToSend?: number | undefined;
}

/** What a step takes, as well as that can be said before. */
export function estimateOf(
  kind: StepKind,
  disk: WantedDisk,
  { isCopy = false, copyMinutes, upload, bytesToSend = disk.dataBytes }: EstimateOptions,
): Estimate {
  if (kind === 'snapshot') return upload === 's3' ? importOf(disk) : uploadOf(bytesToSend);
  if (kind === 'copy') return copyOf(disk, copyMinutes);
  if (kind === 'wait') return isCopy ? copyWait(disk, copyMinutes) : { ...NOTHING, requests: 2, seconds: POLL_SECONDS };
  if (kind === 'smoke-test') return { ...NOTHING, requests: 20, seconds: 180, dollars: INSTANCE_PRICE / 10 };
  if (kind === 'register') return { ...NOTHING, requests: 3, seconds: POLL_SECONDS };
  if (kind === 'tag' || kind === 'protect') return { ...NOTHING, requests: 1, seconds: 1 };
  return change;
}

/** Of all steps. They wait for each other within a chain and not beside it, so seconds are those of the longest chain. */
export function total(
  steps: readonly { readonly id: string; readonly needs: readonly string[]; readonly estimate: Estimate }[],
): Estimate {
  const ends = new Map<string, number>();
  // Steps stand behind what they need.
  for (const { id, needs, estimate } of steps)
    ends.set(id, estimate.seconds + Math.max(0, ...needs.map((need) => ends.get(need) ?? 0)));
  const sum = (value: (estimate: Estimate) => number): number =>
    steps.reduce((all, { estimate }) => all + value(estimate), 0);
  return {
    requests: sum(({ requests }) => requests),
    bytes: sum(({ bytes }) => bytes),
    seconds: Math.max(0, ...ends.values()),
    dollars: sum(({ dollars }) => dollars),
  };
}
