// Threads of the program itself are started for the first upload.
import { hash } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BLOCK_BYTES } from '../../../src/disk/block-list.ts';
import { diskOf, REGION, startUploadKit } from './kit.ts';

const DISK = `${'ab0cd0'.repeat(12)}00000000`;
const DATA = 48;

test('a disk, the same over itself, and a changed one over it: what differs is sent, and what is there is the disk', async () => {
  const { cloud, upload, count, wrongBlock, folder, snapshot } = await startUploadKit();
  const disk = await diskOf(join(folder, 'disk.raw'), DISK);
  const first = await upload(disk, { tags: { 'nix-images:content': 'x' }, description: 'a disk' });
  expect(first).toMatchObject({ sent: DATA, skippedZero: DISK.length - DATA, skippedEqual: 0, encrypted: false });
  expect(first.verified).toBe(4);
  expect([count('StartSnapshot'), count('PutSnapshotBlock'), count('CompleteSnapshot')]).toEqual([1, DATA, 1]);
  expect(wrongBlock(first.snapshotId, disk.blocks)).toBeUndefined();
  expect(snapshot(first.snapshotId)).toMatchObject({ description: 'a disk', state: 'completed' });

  const parent = { snapshotId: first.snapshotId, blocks: disk.blocks };
  const same = await upload(disk, { parent });
  expect(same).toMatchObject({ sent: 0, skippedZero: 0, skippedEqual: DISK.length });
  expect(count('PutSnapshotBlock')).toBe(DATA);
  expect(wrongBlock(same.snapshotId, disk.blocks)).toBeUndefined();

  // One block is another, one became zeros, one was zeros, and the disk is longer.
  const changed = await diskOf(join(folder, 'changed.raw'), `x00c${DISK.slice(4, -1)}y0`);
  const child = await upload(changed, { parent });
  expect(child).toMatchObject({ sent: 4, skippedZero: 0, skippedEqual: DISK.length - 3 });
  expect([...snapshot(child.snapshotId).blocks.keys()].sort((a, b) => a - b)).toEqual([
    0,
    1,
    DISK.length - 1,
    DISK.length,
  ]);
  expect(wrongBlock(child.snapshotId, changed.blocks)).toBeUndefined();
  expect(cloud.violations).toEqual([]);
});

test('few blocks are sent without a thread; a run that is cancelled sends none afterwards, and is gone on with', async () => {
  const { cloud, upload, count, wrongBlock, folder, deleted } = await startUploadKit();
  const disk = await diskOf(join(folder, 'disk.raw'), 'ab0c');
  const program = new URL('file:///nonexistent');
  const stop = new AbortController();
  const answer = cloud.state.faults.add({ verb: 'ebs:PutSnapshotBlock', harm: { kind: 'silence' } });
  const cut = expect(upload(disk, {}, { program, signal: stop.signal })).rejects.toMatchObject({ code: 'cancelled' });
  await expect.poll(() => count('PutSnapshotBlock')).toBe(3);
  stop.abort();
  await cut;
  answer();
  const { snapshotId, sent } = await upload(disk, {}, { program });
  expect([sent, count('PutSnapshotBlock'), deleted]).toEqual([3, 6, []]);
  expect(wrongBlock(snapshotId, disk.blocks)).toBeUndefined();
});

test('whoever asks again finds the completed snapshot, and sends nothing', async () => {
  const { upload, count, folder } = await startUploadKit({ faster: 60 });
  const disk = await diskOf(join(folder, 'disk.raw'), 'a0b');
  const first = await upload(disk);
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(await upload(disk)).toMatchObject({ snapshotId: first.snapshotId, sent: 0, resumed: 2, verified: 2 });
  expect(count('PutSnapshotBlock')).toBe(2);
});

test('where the account encrypts everything, zeros are sent, and an unencrypted parent is left', async () => {
  const { cloud, upload, wrongBlock, folder, log } = await startUploadKit();
  const disk = await diskOf(join(folder, 'disk.raw'), 'a0b0c0');
  const plain = await upload(disk);
  const settings = cloud.state.region(REGION).settingsOf(cloud.admin.account);
  settings.encryptsByDefault = true;
  const parent = { snapshotId: plain.snapshotId, blocks: disk.blocks };
  const encrypted = await upload(disk, { parent, clientToken: 'encrypted' });
  expect(encrypted).toMatchObject({ sent: 6, skippedZero: 0, skippedEqual: 0, encrypted: true });
  expect(wrongBlock(encrypted.snapshotId, disk.blocks)).toBeUndefined();
  expect(log.lines.join('\n')).toContain(`sending all blocks instead of those that differ from ${plain.snapshotId}`);
  // Over an encrypted parent there is no need to.
  const over = await upload(disk, { parent: { snapshotId: encrypted.snapshotId, blocks: disk.blocks } });
  expect(over).toMatchObject({ sent: 0, skippedEqual: 6, encrypted: true });
});

test('a key is used; a parent with another is left, and nothing of it stays', async () => {
  const { cloud, upload, snapshot, folder, deleted } = await startUploadKit();
  const region = cloud.state.region(REGION);
  const kmsKeyArn = `arn:aws:kms:${REGION}:${cloud.admin.account}:key/own-key`;
  region.kmsKeys.add(kmsKeyArn);
  const disk = await diskOf(join(folder, 'disk.raw'), 'a0');
  const plain = await upload(disk);
  const parent = { snapshotId: plain.snapshotId, blocks: disk.blocks };
  const own = await upload(disk, { parent, kmsKeyArn });
  expect(own).toMatchObject({ sent: 2, encrypted: true });
  expect(snapshot(own.snapshotId).kmsKey).toBe(kmsKeyArn);
  expect(deleted.length).toBe(1);
  expect([...region.snapshots.keys()].sort()).toEqual([plain.snapshotId, own.snapshotId].sort());
});

test('a parent that is gone, or larger than the disk, is left', async () => {
  const { upload, folder, log } = await startUploadKit();
  const disk = await diskOf(join(folder, 'disk.raw'), 'a0');
  const gone = { snapshotId: 'snap-0123456789abcdef0', blocks: disk.blocks };
  expect(await upload(disk, { parent: gone })).toMatchObject({ sent: 1, skippedZero: 1 });
  const larger = { snapshotId: 'snap-0123456789abcdef1', blocks: { size: 1e9, digests: new Uint8Array(64) } };
  expect(await upload(disk, { parent: larger, clientToken: 'other' })).toMatchObject({ sent: 1, skippedZero: 1 });
  expect(log.lines.join('\n')).toContain('snap-0123456789abcdef1 is larger than the disk');
});

test('a disk that ends within a block is filled with zeros', async () => {
  const { upload, snapshot, folder } = await startUploadKit();
  const disk = await diskOf(join(folder, 'disk.raw'), 'a0b', 1024);
  const { snapshotId, sent, verified } = await upload(disk);
  expect([sent, verified]).toEqual([2, 2]);
  const data = snapshot(snapshotId).blocks.get(2)?.data ?? Buffer.alloc(0);
  expect(data.subarray(-1024).equals(Buffer.alloc(1024))).toBe(true);
  const own = hash('sha256', data.subarray(0, BLOCK_BYTES - 1024), 'buffer');
  expect(own.equals(disk.blocks.digests.subarray(64, 96))).toBe(true);
});

test('nothing but zeros is a snapshot too', async () => {
  const { upload, count, wrongBlock, folder } = await startUploadKit();
  const disk = await diskOf(join(folder, 'disk.raw'), '000');
  const { snapshotId, sent } = await upload(disk);
  expect([sent, count('PutSnapshotBlock')]).toEqual([0, 0]);
  expect(wrongBlock(snapshotId, disk.blocks)).toBeUndefined();
});
