import type {
  CancelImportTaskRequest,
  DescribeImportSnapshotTasksRequest,
  ImportSnapshotRequest,
} from '@aws-sdk/client-ec2';
import type { CloudCall } from '../cloud/cloud-call.ts';
import type { Snapshot } from '../ebs/snapshot.ts';
import type { ImportTask } from './import-task.ts';
import { refused } from './look-up.ts';
import { pageOfIds } from './pages.ts';
import { tagList, tagsFor } from './tag-specification.ts';

const MINUTE = 60_000;
const GIB = 1024 ** 3;

type Status = 'active' | 'completed' | 'deleted';

function statusOf({ isCancelled, failure, endsAt }: ImportTask, now: number): Status {
  if (isCancelled) return 'deleted';
  if (now < endsAt) return 'active';
  return failure === undefined ? 'completed' : 'deleted';
}

function describe(task: ImportTask, { now }: CloudCall<unknown>): object {
  const status = statusOf(task, now);
  const done = Math.floor((99 * (now - task.startedAt)) / (task.endsAt - task.startedAt));
  return {
    ImportTaskId: task.id,
    Description: task.description,
    Tags: tagList(task.tags),
    SnapshotTaskDetail: {
      Status: status,
      Format: task.format.toUpperCase(),
      DiskImageSize: task.size,
      UserBucket: { S3Bucket: task.bucket, S3Key: task.key },
      ...(status === 'active' ? { Progress: String(done), StatusMessage: 'pending' } : {}),
      ...(status === 'deleted' ? { StatusMessage: task.failure ?? 'User cancelled' } : {}),
      // It is told only in the end.
      ...(status === 'completed' ? { SnapshotId: task.snapshotId } : {}),
    },
  };
}

/** Reads a disk from S3 by the role `vmimport`, which the account must have. */
export function importSnapshot(call: CloudCall<ImportSnapshotRequest>): object {
  const { input, cloud, region, caller, now } = call;
  const { DiskContainer, ClientToken: token, RoleName = 'vmimport', Encrypted = false, KmsKeyId } = input;
  const key = `ImportSnapshot ${caller.account} ${token}`;
  const known =
    token !== undefined &&
    region.tokens.find(key, input, now, () => {
      throw refused('IdempotentParameterMismatch', 'The client token was used with other parameters.');
    });
  const before = known && region.imports.get((known as { id: string }).id);
  if (before) return describe(before, call);
  const { S3Bucket: bucket, S3Key: object } = DiskContainer?.UserBucket ?? {};
  const format = DiskContainer?.Format?.toLowerCase() ?? '';
  const { 'import-snapshot-task': tags } = tagsFor(input.TagSpecifications, ['import-snapshot-task']);
  if (bucket === undefined || object === undefined)
    throw refused('MissingParameter', 'The request must contain the parameter DiskContainer.UserBucket');
  if (!['raw', 'vhd', 'vmdk'].includes(format))
    throw refused('InvalidParameter', `The disk image format '${format}' is not supported`);
  if (!region.hasImportRole) {
    throw refused(
      'InvalidParameter',
      `The service role ${RoleName} provided does not exist or does not have sufficient permissions`,
    );
  }
  const size = region.objects.get(`${bucket}/${object}`);
  if (size === undefined)
    throw refused('InvalidParameter', `The given S3 object is not accessible: ${bucket}/${object}`);
  const endsAt = now + cloud.span(2 * MINUTE, 30 * MINUTE);
  const isEncrypted = Encrypted || region.settingsOf(caller.account).encryptsByDefault;
  const failure = region.importFailures.shift();
  const snapshot: Snapshot = {
    id: cloud.id('snap'),
    owner: caller.account,
    volumeSize: Math.ceil(size / GIB),
    description: input.Description ?? '',
    // The task's tags are its own.
    tags: new Map(),
    startedAt: now,
    kmsKey: isEncrypted ? (KmsKeyId ?? region.defaultKey(caller.account)) : undefined,
    parent: undefined,
    blocks: new Map(),
    sharedWith: new Set(),
    origin: 'import',
    timeout: Number.POSITIVE_INFINITY,
    lastWrite: now,
    state: 'pending',
    completesAt: endsAt,
    readLag: cloud.lag(MINUTE),
    blockLag: () => 0,
    heldUntil: 0,
  };
  if (failure === undefined) region.snapshots.set(snapshot.id, snapshot);
  const task: ImportTask = {
    id: cloud.id('import-snap'),
    owner: caller.account,
    description: input.Description ?? '',
    format,
    bucket,
    key: object,
    size,
    snapshotId: snapshot.id,
    startedAt: now,
    endsAt,
    failure,
    tags,
    isCancelled: false,
  };
  region.imports.set(task.id, task);
  if (token !== undefined) region.tokens.keep(key, input, now, { id: task.id });
  return describe(task, call);
}

const unknownTask = (id: string) => refused('InvalidConversionTaskId', `The import task ID '${id}' does not exist`);

export function describeImportSnapshotTasks(call: CloudCall<DescribeImportSnapshotTasksRequest>): object {
  const { input, region, caller } = call;
  const own = [...region.imports.values()].filter(({ owner }) => owner === caller.account);
  const asked = input.ImportTaskIds ?? [];
  const unknown = asked.find((id) => !own.some((task) => task.id === id));
  if (unknown !== undefined) throw unknownTask(unknown);
  const wanted = () => own.map(({ id }) => id).filter((id) => asked.length === 0 || asked.includes(id));
  const { ids, nextToken } = pageOfIds(call, wanted, [5, 1000]);
  const tasks = ids.map((id) => region.imports.get(id)).filter((task) => task !== undefined);
  return { ImportSnapshotTasks: tasks.map((task) => describe(task, call)), NextToken: nextToken };
}

export function cancelImportTask({ input, region, caller, now }: CloudCall<CancelImportTaskRequest>): object {
  const task = region.imports.get(input.ImportTaskId ?? '');
  if (task?.owner !== caller.account) throw unknownTask(input.ImportTaskId ?? '');
  const before = statusOf(task, now);
  if (before !== 'active') throw refused('IncorrectState', `The import task ${task.id} is ${before}.`);
  task.isCancelled = true;
  region.snapshots.delete(task.snapshotId);
  return { ImportTaskId: task.id, PreviousState: before, State: 'deleting' };
}
