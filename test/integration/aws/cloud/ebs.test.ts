import { createHash } from 'node:crypto';
import {
  CompleteSnapshotCommand,
  type EBSClient,
  GetSnapshotBlockCommand,
  ListChangedBlocksCommand,
  ListSnapshotBlocksCommand,
  PutSnapshotBlockCommand,
  StartSnapshotCommand,
  type StartSnapshotCommandInput,
} from '@aws-sdk/client-ebs';
import { expect, it } from 'vitest';
import { SLOW_LINE, throttling } from '../../../emulators/aws/cloud/faults.ts';
import { BLOCK_SIZE, volumeChecksum } from '../../../emulators/aws/ebs/snapshot.ts';
import { refusalOf, startCloudKit } from './kit.ts';

const MINUTE = 60_000;

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('base64');
const filled = (byte: number): Buffer => Buffer.alloc(BLOCK_SIZE, byte);
const ZERO = filled(0);

const put = (client: EBSClient, SnapshotId: string, BlockIndex: number, data: Buffer, more = {}) =>
  client.send(
    new PutSnapshotBlockCommand({
      SnapshotId,
      BlockIndex,
      BlockData: data,
      DataLength: data.length,
      Checksum: sha256(data),
      ChecksumAlgorithm: 'SHA256',
      ...more,
    }),
  );

const start = async (client: EBSClient, more: Partial<StartSnapshotCommandInput> = {}) => {
  const answer = await client.send(
    new StartSnapshotCommand({ VolumeSize: 1, ClientToken: crypto.randomUUID(), ...more }),
  );
  return { ...answer, id: answer.SnapshotId ?? '' };
};

const complete = (client: EBSClient, SnapshotId: string, ChangedBlocksCount: number, more = {}) =>
  client.send(new CompleteSnapshotCommand({ SnapshotId, ChangedBlocksCount, ...more }));

/** A completed snapshot of blocks of one byte each. */
const made = async (client: EBSClient, bytes: Readonly<Record<number, number>>, more = {}): Promise<string> => {
  const { id } = await start(client, more);
  for (const [index, byte] of Object.entries(bytes)) await put(client, id, Number(index), filled(byte));
  await complete(client, id, Object.keys(bytes).length);
  return id;
};

it('keeps blocks, adds their digests up, lists them in pages, and gives the bytes back', async () => {
  const { cloud, ebs } = await startCloudKit({ keepsBlocks: true });
  const client = ebs();
  const started = await start(client, { Tags: [{ Key: 'a', Value: 'b' }] });
  expect(started).toMatchObject({ Status: 'pending', BlockSize: BLOCK_SIZE, VolumeSize: 1, OwnerId: '123456789012' });
  expect(started.KmsKeyArn).toBeUndefined();
  // Not in order, which the aggregate is.
  for (const index of [300, 5, 0]) await put(client, started.id, index, filled(index % 251));
  const digests = [0, 5, 300].map((index) =>
    createHash('sha256')
      .update(filled(index % 251))
      .digest(),
  );
  const linear = { ChecksumAlgorithm: 'SHA256', ChecksumAggregationMethod: 'LINEAR' };
  const aggregate = sha256(Buffer.concat(digests));
  const ofText = sha256(Buffer.from(digests.map((digest) => digest.toString('base64')).join('')));
  expect(await refusalOf(complete(client, started.id, 3, { ...linear, Checksum: ofText }))).toBe(
    'ValidationException INVALID_PARAMETER_VALUE 400',
  );
  expect(await refusalOf(complete(client, started.id, 2, { ...linear, Checksum: aggregate }))).toContain(
    'ValidationException',
  );
  expect(await refusalOf(complete(client, started.id, 3, { Checksum: aggregate }))).toContain('ValidationException');
  expect(await complete(client, started.id, 3, { ...linear, Checksum: aggregate })).toMatchObject({
    Status: 'completed',
  });
  expect(await refusalOf(complete(client, started.id, 3))).toContain('INVALID_SNAPSHOT_ID');
  expect(await refusalOf(put(client, started.id, 7, ZERO))).toContain('INVALID_SNAPSHOT_ID');

  const { Blocks = [] } = await client.send(new ListSnapshotBlocksCommand({ SnapshotId: started.id }));
  expect(Blocks.map(({ BlockIndex }) => BlockIndex)).toEqual([0, 5, 300]);
  const read = async (BlockIndex: number, BlockToken: string) =>
    client.send(new GetSnapshotBlockCommand({ SnapshotId: started.id, BlockIndex, BlockToken }));
  const block = await read(300, Blocks[2]?.BlockToken ?? '');
  expect(Buffer.from((await block.BlockData?.transformToByteArray()) ?? []).equals(filled(300 % 251))).toBe(true);
  expect(block).toMatchObject({
    DataLength: BLOCK_SIZE,
    Checksum: sha256(filled(300 % 251)),
    ChecksumAlgorithm: 'SHA256',
  });
  expect(await refusalOf(read(5, Blocks[2]?.BlockToken ?? ''))).toContain('INVALID_BLOCK_TOKEN');
  expect(cloud.violations).toEqual([]);
});

it('refuses what moto takes: wrong digests, short blocks, indexes behind the end, other data at once, what is not there', async () => {
  const { ebs, cloud, clock } = await startCloudKit();
  const client = ebs();
  const { id } = await start(client);
  expect(await refusalOf(put(client, id, 0, ZERO, { Checksum: sha256(filled(1)) }))).toContain(
    'INVALID_PARAMETER_VALUE',
  );
  expect(await refusalOf(put(client, id, 0, Buffer.alloc(512)))).toContain('INVALID_PARAMETER_VALUE');
  expect(await refusalOf(put(client, id, 2048, ZERO))).toBe('ValidationException INVALID_BLOCK 400');
  await put(client, id, 2047, ZERO);
  await put(client, id, 2047, ZERO);
  expect(await refusalOf(put(client, id, 2047, filled(1)))).toContain('CONFLICTING_BLOCK_UPDATE');
  clock.advance(1000);
  await put(client, id, 2047, filled(1));
  expect(await refusalOf(put(client, 'snap-00', 0, ZERO))).toBe('ResourceNotFoundException SNAPSHOT_NOT_FOUND 404');
  expect(await refusalOf(put(ebs('eu-west-1'), id, 0, ZERO))).toContain('ResourceNotFoundException');
  expect(cloud.violations).toEqual([]);
  expect(await refusalOf(put(client, id, 1, ZERO, { ChecksumAlgorithm: 'MD5' }))).toBe('ValidationException 400');
  expect(await refusalOf(put(client, 'snapshot', 1, ZERO))).toBe('ValidationException 400');
  expect(cloud.violations).toEqual([expect.stringContaining('MD5'), expect.stringContaining('snapshot')]);
});

it('knows client tokens: the same request is the same snapshot, another one a conflict', async () => {
  const { ebs, cloud } = await startCloudKit();
  const client = ebs();
  const token = 'run-1';
  const first = await start(client, { ClientToken: token, Description: 'a' });
  const again = await start(client, { Description: 'a', ClientToken: token });
  expect(again.id).toBe(first.id);
  expect(await refusalOf(start(client, { ClientToken: token, Description: 'b' }))).toBe('ConflictException 409');
  expect((await start(ebs('eu-west-1'), { ClientToken: token })).id).not.toBe(first.id);
  expect(await refusalOf(start(client, { ClientToken: 'x'.repeat(65) }))).toContain('INVALID_PARAMETER_VALUE');
  expect(cloud.violations).toEqual([]);
});

it('holds StartSnapshot to its limits', async () => {
  const { ebs, cloud, clock } = await startCloudKit();
  const client = ebs();
  expect(await refusalOf(start(client, { VolumeSize: 65_537 }))).toContain('INVALID_VOLUME_SIZE');
  expect(await refusalOf(start(client, { Tags: [{ Key: 'aws:x', Value: '' }] }))).toContain('INVALID_TAG');
  expect(
    await refusalOf(start(client, { KmsKeyArn: cloud.state.region('us-east-1').managedKey('1'.repeat(12)) })),
  ).toContain('INVALID_PARAMETER_VALUE');
  const key = `arn:aws:kms:us-east-1:123456789012:key/own`;
  expect(await refusalOf(start(client, { KmsKeyArn: key, Encrypted: true }))).toContain('INVALID_CUSTOMER_KEY');
  cloud.state.region('us-east-1').kmsKeys.add(key);
  expect(await start(client, { KmsKeyArn: key, Encrypted: true })).toMatchObject({
    KmsKeyArn: key,
    SseType: 'sse-kms',
  });
  for (let at = 1; at < 100; at++) await start(client);
  expect(await refusalOf(start(client))).toBe('ConcurrentLimitExceededException 400');
  // Left alone for an hour they fail, and new ones can start.
  clock.advance(60 * MINUTE);
  const { id } = await start(client, { Timeout: 10 });
  clock.advance(9 * MINUTE);
  await put(client, id, 0, ZERO);
  clock.advance(9 * MINUTE);
  await put(client, id, 1, ZERO);
  clock.advance(10 * MINUTE);
  expect(await refusalOf(complete(client, id, 2))).toContain('INVALID_SNAPSHOT_ID');
  expect(cloud.violations).toEqual([]);
  expect(await refusalOf(start(client, { Timeout: 9 }))).toBe('ValidationException 400');
  expect(cloud.violations).toHaveLength(1);
});

it('lets a child have the blocks of its parent, and tells the changes', async () => {
  const { ebs, cloud } = await startCloudKit();
  const client = ebs();
  const parent = await made(client, { 0: 1, 1: 2, 9: 3 });
  expect(await refusalOf(start(client, { ParentSnapshotId: parent, Encrypted: false }))).toContain(
    'INVALID_PARAMETER_VALUE',
  );
  expect(await refusalOf(start(ebs('eu-west-1'), { ParentSnapshotId: parent }))).toContain('ResourceNotFoundException');
  expect(await refusalOf(start(ebs('us-east-1', cloud.stranger), { ParentSnapshotId: parent }))).toContain(
    'ResourceNotFoundException',
  );
  const { id: pending } = await start(client);
  expect(await refusalOf(start(client, { ParentSnapshotId: pending }))).toContain('INVALID_SNAPSHOT_ID');
  const child = await made(client, { 1: 7, 4: 4 }, { ParentSnapshotId: parent });
  const list = await client.send(new ListSnapshotBlocksCommand({ SnapshotId: child }));
  expect(list.Blocks?.map(({ BlockIndex }) => BlockIndex)).toEqual([0, 1, 4, 9]);
  const changes = await client.send(new ListChangedBlocksCommand({ FirstSnapshotId: parent, SecondSnapshotId: child }));
  expect(changes.ChangedBlocks?.map(({ BlockIndex }) => BlockIndex)).toEqual([1, 4]);
  expect(changes.ChangedBlocks?.map(({ FirstBlockToken }) => FirstBlockToken !== undefined)).toEqual([true, false]);
  const other = await made(client, {});
  const unrelated = new ListChangedBlocksCommand({ FirstSnapshotId: other, SecondSnapshotId: child });
  expect(await refusalOf(client.send(unrelated))).toContain('UNRELATED_SNAPSHOTS');
  const snapshot = cloud.state.region('us-east-1').snapshots.get(child);
  // What a block that was left out is over a parent: the parent's, not zeros.
  expect([0, 1, 2].map((index) => snapshot && volumeChecksum(snapshot, index))).toEqual([
    sha256(filled(1)),
    sha256(filled(7)),
    sha256(ZERO),
  ]);
  expect(cloud.violations).toEqual([]);
});

it('encrypts for an account that does so by default, which shows in the answer; absent blocks are then no zeros', async () => {
  const { ebs, cloud } = await startCloudKit();
  const client = ebs();
  const parent = await made(client, { 0: 1 });
  const region = cloud.state.region('us-east-1');
  region.settingsOf('123456789012').encryptsByDefault = true;
  const { id, KmsKeyArn } = await start(client);
  expect(KmsKeyArn).toBe(region.managedKey('123456789012'));
  expect(await refusalOf(start(client, { ParentSnapshotId: parent }))).toContain('INVALID_PARAMETER_VALUE');
  const snapshot = region.snapshots.get(id);
  expect(snapshot && volumeChecksum(snapshot, 3)).not.toBe(sha256(ZERO));
});

it('knows of blocks late, up to two minutes, each by its own time', async () => {
  const { ebs, clock } = await startCloudKit({ lags: 'longest' });
  const client = ebs();
  const { id } = await start(client);
  const outcomes: string[] = [];
  for (let index = 0; index < 60; index++) outcomes.push(await refusalOf(put(client, id, index, ZERO)));
  const late = [...outcomes.keys()].filter((index) => outcomes[index] !== '');
  expect(late.length).toBeGreaterThan(1);
  expect(late.length).toBeLessThan(20);
  expect(new Set(late.map((index) => outcomes[index]))).toEqual(
    new Set(['ResourceNotFoundException SNAPSHOT_NOT_FOUND 404']),
  );
  clock.advance(2 * MINUTE);
  for (const index of late) await put(client, id, index, ZERO);
  expect(await complete(client, id, 60)).toMatchObject({ Status: 'pending' });
  const list = () => client.send(new ListSnapshotBlocksCommand({ SnapshotId: id }));
  expect(await refusalOf(list())).toContain('INVALID_SNAPSHOT_ID');
  clock.advance(MINUTE);
  expect(await refusalOf(list())).toContain('ResourceNotFoundException');
  clock.advance(MINUTE);
  expect((await list()).Blocks).toHaveLength(60);
});

it('has empty pages with a token, and tokens that end', async () => {
  const { ebs, cloud, clock } = await startCloudKit({ lags: 'reported', seed: 7 });
  const client = ebs();
  const { id } = await start(client);
  clock.advance(2 * MINUTE);
  const snapshot = cloud.state.region('us-east-1').snapshots.get(id);
  for (let index = 0; index < 1050; index++)
    snapshot?.blocks.set(index, { checksum: sha256(ZERO), writtenAt: 0, data: undefined });
  await complete(client, id, 1050);
  clock.advance(2 * MINUTE);
  const sizes: number[] = [];
  let token: string | undefined;
  do {
    const page = await client.send(
      new ListSnapshotBlocksCommand({ SnapshotId: id, MaxResults: 100, NextToken: token }),
    );
    sizes.push(page.Blocks?.length ?? 0);
    token = page.NextToken;
  } while (token !== undefined);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(1050);
  expect(sizes.filter((size) => size === 0).length).toBeGreaterThan(0);
  const first = await client.send(new ListSnapshotBlocksCommand({ SnapshotId: id, MaxResults: 100 }));
  clock.advance(61 * MINUTE);
  const late = new ListSnapshotBlocksCommand({ SnapshotId: id, MaxResults: 100, NextToken: first.NextToken });
  expect(await refusalOf(client.send(late))).toContain('INVALID_PAGE_TOKEN');
  expect(cloud.violations).toEqual([]);
});

it('throttles a share by every code and reason, denies one verb, breaks slow uploads, and loses answers after the work', async () => {
  const { ebs, cloud } = await startCloudKit();
  const client = ebs();
  const { id } = await start(client);
  const calm = cloud.state.faults.add(throttling(0.3));
  const codes: string[] = [];
  for (let index = 0; index < 60; index++) codes.push(await refusalOf(put(client, id, index, ZERO)));
  expect(new Set(codes)).toEqual(
    new Set([
      '',
      'RequestThrottledException ACCOUNT_THROTTLED 400',
      'RequestThrottledException RESOURCE_LEVEL_THROTTLE 400',
      'RequestThrottledException DEPENDENCY_REQUEST_THROTTLED 400',
      'ThrottlingException 400',
      'InternalServerException 500',
    ]),
  );
  expect(codes.filter((code) => code !== '').length).toBeGreaterThan(8);
  calm();
  const [slow] = SLOW_LINE;
  if (slow) cloud.state.faults.add({ verb: 'ebs:PutSnapshotBlock', nth: 2, harm: slow });
  await put(client, id, 100, ZERO);
  expect(await refusalOf(put(client, id, 101, ZERO))).toBe('ValidationException INVALID_PARAMETER_VALUE 400');
  await put(client, id, 101, ZERO);
  cloud.state.faults.add({ verb: 'ebs:StartSnapshot', region: 'eu-west-1', nth: 1, harm: { kind: 'lost' } });
  await expect(start(ebs('eu-west-1'))).rejects.toThrow();
  expect(cloud.state.region('eu-west-1').snapshots.size).toBe(1);
  cloud.admin.denied.add('ebs:PutSnapshotBlock');
  expect(await refusalOf(put(client, id, 102, ZERO))).toBe('AccessDeniedException UNAUTHORIZED_ACCOUNT 403');
  expect(cloud.violations).toEqual([]);
});
