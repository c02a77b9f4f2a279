import {
  CancelImportTaskCommand,
  EC2Client,
  ImportSnapshotCommand,
  paginateDescribeImportSnapshotTasks,
} from '@aws-sdk/client-ec2';
import { z } from 'zod';
import { clientSettings } from './client-settings.ts';
import { callCloud } from './cloud-failure.ts';
import { tagsSchema } from './ec2-records.ts';
import type { AwsWorld } from './ecr-api.ts';
import type { ImportApi, ImportRecord } from './import-api.ts';
import { readAnswer } from './read-answer.ts';

const taskSchema = z
  .object({
    ImportTaskId: z.string(),
    SnapshotTaskDetail: z.object({
      Status: z.string(),
      StatusMessage: z.string().optional(),
      Progress: z.string().optional(),
      SnapshotId: z.string().optional(),
    }),
    Tags: tagsSchema,
  })
  .transform(
    ({ ImportTaskId, SnapshotTaskDetail: detail, Tags }): ImportRecord => ({
      id: ImportTaskId,
      state: detail.Status,
      message: detail.StatusMessage,
      progress: detail.Progress,
      snapshotId: detail.SnapshotId,
      tags: Tags,
    }),
  );

const read = (value: unknown): ImportRecord => readAnswer(taskSchema, value, 'the import that EC2 describes');

/** Tasks in one answer. */
const PAGE = 500;

/** Imports of EC2 in one region. */
export function openImportClient(world: AwsWorld, region: string): ImportApi {
  const client = new EC2Client(clientSettings(world, 'EC2', region));
  const { signal } = world;
  const call = <T>(verb: string, what: string, work: () => Promise<T>): Promise<T> =>
    callCloud({ action: `ec2:${verb}`, what, region, signal }, work);
  return {
    importSnapshot: ({ clientToken, bucket, key, description, role, kmsKey, tags }) =>
      call('ImportSnapshot', `cannot import ${key} of ${bucket}`, async () =>
        read(
          await client.send(
            new ImportSnapshotCommand({
              ClientToken: clientToken,
              Description: description,
              RoleName: role,
              DiskContainer: { Format: 'RAW', Description: description, UserBucket: { S3Bucket: bucket, S3Key: key } },
              ...(kmsKey === undefined ? {} : { Encrypted: true, KmsKeyId: kmsKey }),
              TagSpecifications: [
                {
                  ResourceType: 'import-snapshot-task',
                  Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
                },
              ],
            }),
          ),
        ),
      ),
    imports: (id) =>
      call('DescribeImportSnapshotTasks', 'cannot list imports', async () => {
        const found: ImportRecord[] = [];
        const input = id === undefined ? {} : { ImportTaskIds: [id] };
        const paging = { client, ...(id === undefined ? { pageSize: PAGE } : {}) };
        // Those of long ago have neither details nor tags.
        for await (const { ImportSnapshotTasks = [] } of paginateDescribeImportSnapshotTasks(paging, input))
          found.push(...ImportSnapshotTasks.filter(({ SnapshotTaskDetail }) => SnapshotTaskDetail?.Status).map(read));
        return found;
      }),
    cancelImport: async (ImportTaskId) => {
      await call('CancelImportTask', `cannot cancel ${ImportTaskId}`, () =>
        client.send(new CancelImportTaskCommand({ ImportTaskId })),
      );
    },
  };
}
