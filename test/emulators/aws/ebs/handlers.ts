import { createHash } from 'node:crypto';
import type {
  CompleteSnapshotRequest,
  GetSnapshotBlockRequest,
  PutSnapshotBlockRequest,
  StartSnapshotRequest,
} from '@aws-sdk/client-ebs';
import type { CloudCall, CloudHandlers } from '../cloud/cloud-call.ts';
import { CloudError } from '../cloud/cloud-error.ts';
import { tokenError, tokenOf } from './block-token.ts';
import { listChangedBlocks, listSnapshotBlocks } from './lists.ts';
import { invalid, missing, ownSnapshot, readableSnapshot } from './look-up.ts';
import { BLOCK_SIZE, blockOf, blocksIn, type Snapshot, stateAt } from './snapshot.ts';

const MINUTE = 60_000;
const SHARED_LIMITS = {
  /** GiB. */
  volume: 65_536,
  tags: 50,
  pending: 100,
  /** The guide's, where the model has 255. */
  token: 64,
};

type Start = CloudCall<StartSnapshotRequest>;

/** What is answered, by the cloud's clock. */
interface Started {
  readonly StartTime: Date;
}

function checkTags(tags: StartSnapshotRequest['Tags'] = []): Map<string, string> {
  const found = new Map(tags.map(({ Key = '', Value = '' }) => [Key, Value]));
  if (found.size < tags.length) throw invalid('INVALID_TAG', 'A tag key is given twice.');
  if (tags.length > SHARED_LIMITS.tags) throw invalid('INVALID_TAG', 'There are more than 50 tags.');
  if ([...found.keys()].some((key) => key === '' || key.startsWith('aws:')))
    throw invalid('INVALID_TAG', 'A tag key is empty or begins with aws:.');
  return found;
}

/** The snapshot that a new one goes on from. */
function parentOf(call: Start): Snapshot | undefined {
  const { ParentSnapshotId: id, Encrypted, KmsKeyArn, VolumeSize = 0 } = call.input;
  if (id === undefined) return undefined;
  if (Encrypted !== undefined || KmsKeyArn !== undefined)
    throw invalid('INVALID_PARAMETER_VALUE', 'Encrypted and KmsKeyArn cannot be specified with ParentSnapshotId.');
  const parent = ownSnapshot(call, id);
  if (stateAt(parent, call.now) !== 'completed')
    throw invalid('INVALID_SNAPSHOT_ID', `The parent snapshot '${id}' is not in the completed state.`);
  if (VolumeSize < parent.volumeSize)
    throw invalid('INVALID_VOLUME_SIZE', 'The volume size is smaller than that of the parent snapshot.');
  const settings = call.region.settingsOf(call.caller.account);
  if (settings.encryptsByDefault && parent.kmsKey === undefined)
    throw invalid(
      'INVALID_PARAMETER_VALUE',
      'The parent snapshot is not encrypted, and the account is enabled for encryption by default.',
    );
  return parent;
}

/** The key that a new snapshot is encrypted with; undefined for none. */
function keyOf({ input, region, caller }: Start, parent: Snapshot | undefined): string | undefined {
  const { Encrypted: isAsked = false, KmsKeyArn: key } = input;
  if (key !== undefined && !isAsked)
    throw invalid('INVALID_PARAMETER_VALUE', 'KmsKeyArn can be specified only with Encrypted.');
  if (key !== undefined && !region.kmsKeys.has(key))
    throw invalid('INVALID_CUSTOMER_KEY', 'The KMS key does not exist, is disabled, or may not be used.');
  if (parent) return parent.kmsKey;
  return isAsked || region.settingsOf(caller.account).encryptsByDefault
    ? (key ?? region.defaultKey(caller.account))
    : undefined;
}

function startSnapshot(call: Start): object {
  const { input, region, cloud, caller, now } = call;
  const { ClientToken: token, VolumeSize = 0, Description, Timeout = 60 } = input;
  if (token !== undefined && token.length > SHARED_LIMITS.token)
    throw invalid('INVALID_PARAMETER_VALUE', 'ClientToken has more than 64 characters.');
  if (VolumeSize > SHARED_LIMITS.volume)
    throw invalid('INVALID_VOLUME_SIZE', 'The volume size is more than 65536 GiB.');
  const key = `ebs ${caller.account} ${token}`;
  const known =
    token !== undefined &&
    region.tokens.find(key, input, now, () => {
      throw new CloudError('ConflictException', 'The client token was used with other parameters.');
    });
  if (known) return byTheDate(call, known as Started);
  const tags = checkTags(input.Tags);
  const parent = parentOf(call);
  const kmsKey = keyOf(call, parent);
  const pending = [...region.snapshots.values()].filter(
    (one) => one.owner === caller.account && one.origin === 'direct' && stateAt(one, now) === 'pending',
  );
  if (pending.length >= SHARED_LIMITS.pending)
    throw new CloudError('ConcurrentLimitExceededException', 'There are 100 pending snapshots.');
  const lags = new Map<number, number>();
  const snapshot: Snapshot = {
    id: cloud.id('snap'),
    owner: caller.account,
    volumeSize: VolumeSize,
    description: Description ?? '',
    tags,
    startedAt: now,
    kmsKey,
    parent,
    blocks: new Map(),
    sharedWith: new Set(),
    origin: 'direct',
    timeout: Timeout * MINUTE,
    lastWrite: now,
    state: 'pending',
    readLag: cloud.lag(MINUTE),
    // One block in ten is late, each by its own time (awslabs/coldsnap 43).
    blockLag: (index) => {
      const lag = lags.get(index) ?? (cloud.world.random() < 0.1 ? cloud.lag(2 * MINUTE) : 0);
      lags.set(index, lag);
      return lag;
    },
    heldUntil: 0,
  };
  region.snapshots.set(snapshot.id, snapshot);
  const answer = {
    SnapshotId: snapshot.id,
    Description,
    OwnerId: caller.account,
    Status: 'pending',
    StartTime: new Date(now),
    VolumeSize,
    BlockSize: BLOCK_SIZE,
    Tags: input.Tags,
    ParentSnapshotId: parent?.id,
    KmsKeyArn: kmsKey,
    SseType: kmsKey === undefined ? 'none' : 'sse-kms',
  };
  if (token !== undefined) region.tokens.keep(key, input, now, answer);
  return byTheDate(call, answer);
}

/** The answer's `Date` is by the wall clock, so what it says of time is too: how long ago it was is what a client can tell. */
const byTheDate = ({ cloud, now }: Start, answer: Started): object => ({
  ...answer,
  StartTime: new Date(cloud.world.signatureTime() - (now - answer.StartTime.getTime())),
});

function pendingSnapshot(call: CloudCall<{ readonly SnapshotId: string | undefined }>): Snapshot {
  const snapshot = ownSnapshot(call, call.input.SnapshotId);
  if (snapshot.origin !== 'direct' || snapshot.completesAt !== undefined || stateAt(snapshot, call.now) !== 'pending')
    throw invalid('INVALID_SNAPSHOT_ID', `The snapshot '${snapshot.id}' is not in the pending state.`);
  return snapshot;
}

/** Writes of one block within so many milliseconds count as being at the same time. */
const SAME_TIME = 1000;

function putSnapshotBlock(call: CloudCall<PutSnapshotBlockRequest>): object {
  const { input, cloud, now } = call;
  const { BlockIndex: index = 0, DataLength, Checksum: checksum = '' } = input;
  const data = input.BlockData as unknown as Buffer;
  const snapshot = pendingSnapshot(call);
  if (now < snapshot.startedAt + snapshot.blockLag(index)) throw missing(snapshot.id);
  if (DataLength !== BLOCK_SIZE || data.length !== BLOCK_SIZE)
    throw invalid('INVALID_PARAMETER_VALUE', `The data must have ${BLOCK_SIZE} bytes.`);
  if (index >= blocksIn(snapshot)) throw invalid('INVALID_BLOCK', 'The block index is behind the end of the volume.');
  if (createHash('sha256').update(data).digest('base64') !== checksum)
    throw invalid('INVALID_PARAMETER_VALUE', 'The checksum does not match the data.');
  const before = snapshot.blocks.get(index);
  if (before !== undefined && before.checksum !== checksum && now < (before.writtenAt ?? 0) + SAME_TIME)
    throw invalid('CONFLICTING_BLOCK_UPDATE', 'The block is being written with other data.');
  snapshot.blocks.set(index, {
    checksum,
    writtenAt: now,
    data: cloud.world.keepsBlocks ? Buffer.from(data) : undefined,
  });
  snapshot.lastWrite = now;
  return { Checksum: checksum, ChecksumAlgorithm: 'SHA256' };
}

/** SHA-256 over the blocks' digests, as bytes, in the order of the indexes. */
function aggregateOf({ blocks }: Snapshot): string {
  const all = createHash('sha256');
  for (const [, { checksum }] of [...blocks].sort(([a], [b]) => a - b)) all.update(Buffer.from(checksum, 'base64'));
  return all.digest('base64');
}

function completeSnapshot(call: CloudCall<CompleteSnapshotRequest>): object {
  const { input, cloud, now } = call;
  const { ChangedBlocksCount: count, Checksum, ChecksumAlgorithm, ChecksumAggregationMethod } = input;
  const snapshot = pendingSnapshot(call);
  const given = [Checksum, ChecksumAlgorithm, ChecksumAggregationMethod].filter((one) => one !== undefined).length;
  if (given !== 0 && given !== 3)
    throw invalid('INVALID_PARAMETER_VALUE', 'The checksum, its algorithm and its aggregation method go together.');
  if (count !== snapshot.blocks.size)
    throw invalid(
      'INVALID_PARAMETER_VALUE',
      `${count} changed blocks were expected, ${snapshot.blocks.size} were written.`,
    );
  if (Checksum !== undefined && Checksum !== aggregateOf(snapshot))
    throw invalid('INVALID_PARAMETER_VALUE', 'The aggregated checksum does not match that of the blocks.');
  snapshot.completesAt = now + cloud.lag(MINUTE);
  return { Status: stateAt(snapshot, now) };
}

function getSnapshotBlock(call: CloudCall<GetSnapshotBlockRequest>): object {
  const { input, now } = call;
  const snapshot = readableSnapshot(call, input.SnapshotId);
  const index = input.BlockIndex ?? -1;
  const wrong = tokenError(input.BlockToken ?? '', tokenOf(snapshot.id, index, now), now);
  if (wrong !== undefined) throw invalid('INVALID_BLOCK_TOKEN', wrong);
  const block = blockOf(snapshot, index);
  if (block === undefined) throw invalid('INVALID_BLOCK', `There is no block ${index}.`);
  if (block.data === undefined) throw new Error('bytes of blocks are not kept: start the emulator with keepsBlocks');
  return { DataLength: BLOCK_SIZE, BlockData: block.data, Checksum: block.checksum, ChecksumAlgorithm: 'SHA256' };
}

/** EBS's direct interface, as far as snapshots are written, listed and read. */
export const EBS_HANDLERS: CloudHandlers = {
  StartSnapshot: startSnapshot,
  PutSnapshotBlock: putSnapshotBlock,
  CompleteSnapshot: completeSnapshot,
  ListSnapshotBlocks: listSnapshotBlocks,
  ListChangedBlocks: listChangedBlocks,
  GetSnapshotBlock: getSnapshotBlock,
};
