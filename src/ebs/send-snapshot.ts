import { UserError } from '../core/error.ts';
import { BLOCK_BYTES, type BlockList } from '../disk/block-list.ts';
import type { Disk } from '../disk/disk.ts';
import { awaitCompleted } from './await-completed.ts';
import { type BlockPlan, linearChecksum, planBlocks } from './block-plan.ts';
import { discard } from './discard.ts';
import type { StartedSnapshot } from './ebs-client.ts';
import { EbsError, ebsUserError, isNotPending } from './ebs-failure.ts';
import type { SnapshotApi } from './ebs-settings.ts';
import { noRecord, openRecord, type SentRecord } from './sent-record.ts';
import type { ParentSnapshot } from './snapshot-request.ts';
import { sendBlocks } from './upload-threads.ts';

/** A disk with the digests of its blocks. */
export interface SnapshotSource extends Pick<Disk, 'path' | 'size'> {
  readonly blocks: BlockList;
}

/** What a snapshot has got. */
export interface SentBlocks {
  readonly sent: number;
  readonly resumed: number;
  readonly skippedZero: number;
  readonly skippedEqual: number;
  /** Numbers of all blocks that were written, by this run or an earlier one. */
  readonly written: Uint32Array;
  /** SHA-256 of each block of the disk, as it was sent. */
  readonly checksums: Uint8Array;
}

interface Target {
  readonly started: StartedSnapshot;
  readonly parent: ParentSnapshot | undefined;
  /** An earlier run has sent and completed it: nothing is left to do. */
  readonly isCompleted: boolean;
}

/** Requests of a thread at first: twice as many each round, until the service asks for fewer. */
const START_WIDTH = 4;

/**
 * Sends what a snapshot needs of a disk, and completes it. `gone` where it was deleted or given up meanwhile. Deletes it where another run could not
 * make it right either.
 */
export async function sendSnapshot(
  api: SnapshotApi,
  source: SnapshotSource,
  { started, parent, isCompleted }: Target,
): Promise<SentBlocks | 'gone'> {
  const { settings } = api;
  const { SnapshotId: snapshotId, KmsKeyArn, ParentSnapshotId } = started;
  const isChild = parent !== undefined && ParentSnapshotId === parent.snapshotId;
  const isEncrypted = KmsKeyArn !== undefined;
  const plan = planBlocks(source.blocks, { parent: isChild ? parent.blocks : undefined, isEncrypted });
  if (isCompleted) return sentBefore(source, plan);
  const { recordFolder, region } = settings;
  const record = recordFolder === undefined ? noRecord : await openRecord(recordFolder, region, snapshotId);
  try {
    const sent = await sendAndComplete(api, source, { snapshotId, plan, record });
    await record.remove();
    return sent;
  } catch (error) {
    // An earlier run has completed it, and EC2 did not know yet.
    if (isNotPending(error) && (await awaitCompleted(snapshotId, settings)) === 'completed') {
      await record.remove();
      return sentBefore(source, plan);
    }
    const isGone = isNotPending(error) || isUnknown(error);
    if (isGone || !(isWorthResuming(error) || settings.signal.aborted)) {
      await discard(settings, snapshotId);
      await record.remove();
    }
    if (isGone) return 'gone';
    throw error;
  } finally {
    await record.close();
  }
}

/** A shorter last block is left out of what is written: the checksum of what it was filled to is known to the run that sent it alone. */
const sentBefore = ({ blocks, size }: SnapshotSource, { send, ...skipped }: BlockPlan): SentBlocks => ({
  ...skipped,
  sent: 0,
  resumed: send.length,
  written: send.filter((block) => block !== shortBlock(size)),
  checksums: blocks.digests,
});

/** The number of a disk's last block where it is shorter than the others. */
const shortBlock = (size: number): number | undefined =>
  size % BLOCK_BYTES === 0 ? undefined : Math.floor(size / BLOCK_BYTES);

interface Upload {
  readonly snapshotId: string;
  readonly plan: BlockPlan;
  readonly record: SentRecord;
}

async function sendAndComplete(api: SnapshotApi, source: SnapshotSource, upload: Upload): Promise<SentBlocks> {
  const { plan, record, snapshotId } = upload;
  const { send, ...skipped } = plan;
  const checksums = sharedCopy(source.blocks.digests);
  // A last block that is shorter is always sent: its checksum is known when it is read.
  const missing = send.filter((block) => block === shortBlock(source.size) || !record.before.has(block));
  const resumed = send.length - missing.length;
  const end = () =>
    api.client.complete(snapshotId, send.length, send.length === 0 ? undefined : linearChecksum(checksums, send));
  await sendNow(api, source, upload, { blocks: missing, checksums });
  try {
    await end();
    return { ...skipped, sent: missing.length, resumed, written: send, checksums };
  } catch (error) {
    if (resumed === 0 || isNotPending(error) || !isRefused(error)) throw error;
    // What the record says is not what is there.
    api.settings.log.warn(`${ebsUserError(error).message}; sending all blocks once more`);
  }
  checksums.set(source.blocks.digests);
  await sendNow(api, source, upload, { blocks: send, checksums });
  await end();
  return { ...skipped, sent: missing.length + send.length, resumed: 0, written: send, checksums };
}

function sharedCopy(bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

async function sendNow(
  { settings, endpoint, session, limits, threads, requests }: SnapshotApi,
  { path, size }: SnapshotSource,
  { snapshotId, record }: Upload,
  { blocks, checksums }: { readonly blocks: Uint32Array; readonly checksums: Uint8Array<SharedArrayBuffer> },
): Promise<void> {
  if (blocks.length === 0) return;
  const { region, log } = settings;
  const progress = log.progress(`${snapshotId} in ${region}`, blocks.length * BLOCK_BYTES);
  const most = Math.max(1, Math.floor(requests / threads));
  const shared = new Uint32Array(new SharedArrayBuffer(blocks.byteLength));
  shared.set(blocks);
  const task = {
    ...{ path, size, snapshotId, endpoint, region, time: session.now().getTime(), blocks: shared, checksums, limits },
    taken: new Int32Array(new SharedArrayBuffer(4)),
    width: { start: Math.min(START_WIDTH, most), most },
  };
  let sent = 0;
  try {
    await sendBlocks(
      task,
      { ...settings, width: threads, session },
      {
        sent(block) {
          record.add(block);
          sent += 1;
          progress.update(sent * BLOCK_BYTES);
        },
        refused: ({ what, code, reason = '', message, requestId = '' }, width) =>
          log.debug(`${what} in ${region}: ${code} ${reason}: ${message} ${requestId}; ${width} requests at once`),
      },
    );
  } finally {
    progress.end();
  }
}

const isRefused = (error: unknown): error is EbsError =>
  error instanceof EbsError && error.failure.code === 'ValidationException';

/** What was waited for, and is not known: it was deleted. */
const isUnknown = (error: unknown): boolean =>
  error instanceof EbsError && error.failure.code === 'ResourceNotFoundException';

/** Whether a later run may go on with it: what was in the way was the network, the service's load, or who we are. */
const isWorthResuming = (error: unknown): boolean =>
  error instanceof EbsError
    ? /^(?:Unreach|TimedOut|Expired|Invalid(?:Signature|ClientToken)|Unrecognized)|Throttl|ConcurrentLimit/.test(
        error.failure.code,
      ) || (error.failure.status ?? 0) >= 500
    : error instanceof UserError && error.code === 'credentials';
