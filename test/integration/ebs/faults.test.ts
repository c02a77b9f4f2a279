// Threads of the program itself are started where there are many blocks, and wait by the machine's clock: about a second for each such test.
import { open, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BLOCK_BYTES } from '../../../src/disk/block-list.ts';
import { SLOW_LINE, throttling } from '../../emulators/aws/cloud/faults.ts';
import { diskOf, keysOf, plainFetch, REGION, startUploadKit } from './kit.ts';

const DISK = `${'ab0cd0'.repeat(10)}`;
const DATA = 40;

test.each([0.05, 0.3])('throttling of %d of all requests, by each code and reason', async (share) => {
  const { cloud, upload, count, wrongBlock, folder } = await startUploadKit();
  const disk = await diskOf(join(folder, 'disk.raw'), DISK);
  cloud.state.faults.add(throttling(share));
  const { snapshotId, sent } = await upload(disk, {}, { threads: share < 0.1 ? 1 : 2 });
  expect(sent).toBe(DATA);
  expect(count('PutSnapshotBlock')).toBeGreaterThan(DATA);
  expect(count('PutSnapshotBlock', 'done')).toBe(DATA);
  expect(wrongBlock(snapshotId, disk.blocks)).toBeUndefined();
  expect(cloud.violations).toEqual([]);
});

test('requests that are never answered, a slow line, and connections that end', async () => {
  const { cloud, upload, count, wrongBlock, folder } = await startUploadKit();
  const disk = await diskOf(join(folder, 'disk.raw'), DISK);
  const { faults } = cloud.state;
  const verb = 'ebs:PutSnapshotBlock';
  faults.add({ verb, share: 0.06, harm: { kind: 'silence' } });
  for (const harm of SLOW_LINE) faults.add({ verb, share: 0.05, harm });
  faults.add({ verb, share: 0.05, harm: { kind: 'cut' } });
  faults.add({ verb, share: 0.05, harm: { kind: 'lost' } });
  const limits = { attempt: 250, delay: 20, mostDelay: 100 };
  const { snapshotId } = await upload(disk, {}, { limits });
  expect(count('PutSnapshotBlock', 'silence')).toBeGreaterThan(0);
  expect(count('PutSnapshotBlock', 'lost')).toBeGreaterThan(0);
  expect(wrongBlock(snapshotId, disk.blocks)).toBeUndefined();
});

test.each(['StartSnapshot', 'CompleteSnapshot'] as const)('the answer to %s is lost', async (verb) => {
  const { cloud, upload, wrongBlock, folder } = await startUploadKit();
  const disk = await diskOf(join(folder, 'disk.raw'), 'a0b');
  cloud.state.faults.add({ verb: `ebs:${verb}`, nth: 1, harm: { kind: 'lost' } });
  const { snapshotId, sent } = await upload(disk);
  // It is told as the work of this run.
  expect(sent).toBe(2);
  expect(wrongBlock(snapshotId, disk.blocks)).toBeUndefined();
  expect(cloud.state.region(REGION).snapshots.size).toBe(1);
});

test('nothing answers: the time is over, and the snapshot stays for another run', async () => {
  const { cloud, upload, folder, deleted } = await startUploadKit();
  const disk = await diskOf(join(folder, 'disk.raw'), 'a0b');
  const stop = cloud.state.faults.add({ verb: 'ebs:PutSnapshotBlock', harm: { kind: 'silence' } });
  const limits = { attempt: 50, delay: 10, mostDelay: 50, total: 400 };
  await expect(upload(disk, {}, { limits })).rejects.toMatchObject({
    code: 'registry',
    message: expect.stringMatching(
      /^cannot send block \d of snap-[0-9a-f]+ in eu-central-1: TimedOut: there was no answer in \d s$/,
    ),
    hint: expect.stringContaining('what is sent stays'),
  });
  expect(deleted).toEqual([]);
  stop();
  expect(await upload(disk)).toMatchObject({ sent: 2 });
  expect(cloud.state.region(REGION).snapshots.size).toBe(1);
});

test('blocks of a new snapshot that "does not exist", EC2 that is late, a list that does not know it, empty pages', async () => {
  const { cloud, upload, count, wrongBlock, folder } = await startUploadKit({
    lags: 'longest',
    perRequest: 2000,
    signatureTime: Date.now,
  });
  const disk = await diskOf(join(folder, 'disk.raw'), DISK);
  const { snapshotId, verified } = await upload(disk, {}, { readBack: 6 });
  expect(count('PutSnapshotBlock', 'ResourceNotFoundException')).toBeGreaterThan(0);
  expect(count('ListSnapshotBlocks', 'ResourceNotFoundException')).toBeGreaterThan(0);
  expect(verified).toBe(6);
  expect(wrongBlock(snapshotId, disk.blocks)).toBeUndefined();
  expect(cloud.violations).toEqual([]);
});

test('who may not write is told at once, with the statement; nothing stays', async () => {
  const { cloud, upload, count, folder, deleted } = await startUploadKit();
  cloud.admin.denied.add('ebs:PutSnapshotBlock');
  const disk = await diskOf(join(folder, 'disk.raw'), 'ab'.repeat(60));
  await expect(upload(disk, {}, { threads: 2 })).rejects.toMatchObject({
    code: 'credentials',
    message: expect.stringMatching(
      /^cannot send block \d+ of snap-[0-9a-f]+ in eu-central-1: AccessDeniedException: .*UNAUTHORIZED_ACCOUNT, request emulated\)$/,
    ),
    hint: expect.stringContaining('"Action":["ebs:PutSnapshotBlock"]'),
  });
  // Two threads have four requests each under way.
  expect(count('PutSnapshotBlock')).toBeLessThanOrEqual(8);
  expect(deleted.length).toBe(1);
  expect(cloud.state.region(REGION).snapshots.size).toBe(0);
});

test('who may write and not read uploads, and is told that nothing was read back', async () => {
  const { cloud, upload, folder, log } = await startUploadKit();
  cloud.admin.denied.add('ebs:ListSnapshotBlocks');
  const disk = await diskOf(join(folder, 'disk.raw'), 'a0');
  expect(await upload(disk)).toMatchObject({ sent: 1, verified: 0 });
  expect(log.lines.join('\n')).toContain('was read back: ebs:ListSnapshotBlocks');
});

test('a block that comes back as another is found, and the snapshot deleted', async () => {
  const { cloud, upload, folder, deleted } = await startUploadKit();
  const disk = await diskOf(join(folder, 'disk.raw'), 'a0');
  const original = cloud.state.region(REGION).snapshots;
  const promise = upload(
    disk,
    {},
    {
      snapshotState: async (id) => {
        original.get(id)?.blocks.set(0, { checksum: 'x', data: Buffer.alloc(BLOCK_BYTES, 1) });
        return 'completed';
      },
    },
  );
  await expect(promise).rejects.toMatchObject({
    code: 'digest',
    message: expect.stringContaining('is not what was sent'),
  });
  expect(deleted.length).toBe(1);
});

test('a snapshot that fails at the service is deleted', async () => {
  const { upload, folder, deleted } = await startUploadKit();
  const disk = await diskOf(join(folder, 'disk.raw'), 'a0');
  await expect(upload(disk, {}, { snapshotState: async () => 'error' })).rejects.toThrow(
    /^snap-[0-9a-f]+ in eu-central-1 has failed although all of it was sent$/,
  );
  expect(deleted.length).toBe(1);
});

test.each([
  ['ahead', 3_600_000],
  ['behind', -3_600_000],
])("the service's clock is an hour %s: it is learnt by one refusal, and shared with the threads", async (_where, off) => {
  const { cloud, upload, count, folder } = await startUploadKit({ signatureTime: () => Date.now() + off });
  const disk = await diskOf(join(folder, 'disk.raw'), DISK);
  let sent = 0;
  await upload(
    disk,
    { clientToken: `off ${off}` },
    {
      fetch: async (...call) => {
        sent += 1;
        return plainFetch(...call);
      },
    },
  );
  // Refused signatures are no requests to the emulator: one more StartSnapshot was sent than came.
  const others =
    count('StartSnapshot') + count('CompleteSnapshot') + count('ListSnapshotBlocks') + count('GetSnapshotBlock');
  expect(sent - others).toBe(1);
  expect(count('PutSnapshotBlock')).toBe(DATA);
  expect(cloud.violations).toEqual([]);
});

test('keys that end meanwhile are renewed, once for all threads', async () => {
  const { cloud, upload, folder } = await startUploadKit();
  const disk = await diskOf(join(folder, 'disk.raw'), DISK);
  const who = { account: cloud.admin.account, partition: 'aws', arn: cloud.admin.arn } as const;
  const first = cloud.state.identities.open({ ...who, expires: Date.now() + 600_000 });
  const second = cloud.state.identities.open({ ...who, expires: Date.now() + 3_600_000 });
  const asked: boolean[] = [];
  // What the program is told of their end is wrong, as after a revoked session.
  cloud.state.faults.add({
    verb: 'ebs:PutSnapshotBlock',
    nth: 20,
    times: 1,
    harm: { kind: 'error', code: 'ExpiredTokenException', status: 403 },
  });
  await upload(
    disk,
    {},
    {
      threads: 2,
      credentials: async (options = {}) => {
        asked.push(options.forceRefresh ?? false);
        return keysOf(options.forceRefresh ? second : first)();
      },
    },
  );
  expect(asked).toEqual([false, true]);
});

test('a disk that changed since it was hashed is an error that says where, and nothing stays', async () => {
  const { cloud, upload, folder, deleted } = await startUploadKit();
  const disk = await diskOf(join(folder, 'disk.raw'), 'a0b');
  {
    await using file = await open(disk.path, 'r+');
    await file.write(Buffer.from('other'), 0, 5, 2 * BLOCK_BYTES + 77);
  }
  await expect(upload(disk)).rejects.toMatchObject({
    code: 'file',
    message: `${disk.path} has changed since it was hashed: block 2, at byte ${2 * BLOCK_BYTES}`,
  });
  await truncate(disk.path, BLOCK_BYTES);
  await expect(upload(disk, { clientToken: 'cut' })).rejects.toMatchObject({ code: 'file' });
  expect(deleted.length).toBe(2);
  expect(cloud.state.region(REGION).snapshots.size).toBe(0);
});
