// Each test uploads twice, by threads of the program itself, which start in about half a second.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { diskOf, REGION, startUploadKit, type UploadKit } from './kit.ts';

const DISK = 'ab0cd0'.repeat(12);
const DATA = 48;

/** Uploads until so many blocks are there, then stops. */
async function cut(
  { upload, cloud }: UploadKit,
  disk: Awaited<ReturnType<typeof diskOf>>,
  settings: object,
): Promise<number> {
  const stop = new AbortController();
  const remove = cloud.state.faults.add({
    verb: 'ebs:PutSnapshotBlock',
    nth: 21,
    times: 1e6,
    harm: { kind: 'silence' },
  });
  const uploading = upload(disk, {}, { signal: stop.signal, ...settings });
  const ended = expect(uploading).rejects.toMatchObject({ code: 'cancelled' });
  const done = () =>
    cloud.requests.filter(({ verb, outcome }) => verb === 'ebs:PutSnapshotBlock' && outcome === 'done').length;
  for (let time = 0; time < 1000 && done() < 20; time += 1) await wait(10);
  await wait(50);
  stop.abort();
  await ended;
  remove();
  return done();
}

test('a run that was cancelled is gone on with: what it had sent is not sent again', async () => {
  const kit = await startUploadKit();
  const { upload, wrongBlock, folder, deleted, cloud } = kit;
  const disk = await diskOf(join(folder, 'disk.raw'), DISK);
  expect(await cut(kit, disk, { recordFolder: folder, threads: 2 })).toBe(20);
  const second = await upload(disk, {}, { recordFolder: folder });
  expect(second).toMatchObject({ sent: DATA - 20, resumed: 20 });
  expect(wrongBlock(second.snapshotId, disk.blocks)).toBeUndefined();
  expect(deleted).toEqual([]);
  expect(cloud.state.region(REGION).snapshots.size).toBe(1);
  // The record goes with what it was for.
  expect(await readdir(folder)).toEqual(['disk.raw']);
});

test('without a record all is sent again, into the same snapshot', async () => {
  const kit = await startUploadKit({ faster: 60 });
  const { upload, wrongBlock, folder, cloud, log } = kit;
  const disk = await diskOf(join(folder, 'disk.raw'), DISK);
  await cut(kit, disk, {});
  await wait(300);
  const second = await upload(disk);
  expect(second).toMatchObject({ sent: DATA, resumed: 0 });
  expect(wrongBlock(second.snapshotId, disk.blocks)).toBeUndefined();
  expect(cloud.state.region(REGION).snapshots.size).toBe(1);
  expect(log.lines).toContain(`going on with ${second.snapshotId} in ${REGION}`);
});

test('a record that says more than is there is found out, and all is sent', async () => {
  const kit = await startUploadKit();
  const { upload, wrongBlock, folder, log } = kit;
  const disk = await diskOf(join(folder, 'disk.raw'), DISK);
  await cut(kit, disk, { recordFolder: folder });
  const [record = ''] = (await readdir(folder)).filter((name) => name.endsWith('.sent'));
  await appendFile(join(folder, record), Buffer.from(Uint32Array.from([60, 61, 63, 64, 66, 67, 69, 70]).buffer));
  const second = await upload(disk, {}, { recordFolder: folder });
  expect(second.resumed).toBe(0);
  expect(wrongBlock(second.snapshotId, disk.blocks)).toBeUndefined();
  expect(log.lines.join('\n')).toContain('sending all blocks once more');
});

test.each(['deleted', 'given up'])('a snapshot that was %s meanwhile makes room for another', async (how) => {
  const kit = await startUploadKit({ faster: 60 });
  const { upload, wrongBlock, folder, cloud } = kit;
  const disk = await diskOf(join(folder, 'disk.raw'), DISK);
  await cut(kit, disk, { recordFolder: folder });
  const { snapshots } = cloud.state.region(REGION);
  const [first = ''] = snapshots.keys();
  if (how === 'deleted') snapshots.delete(first);
  else for (const one of snapshots.values()) one.state = 'error';
  await wait(300);
  const second = await upload(disk, {}, { recordFolder: folder });
  expect(second).toMatchObject({ sent: DATA, resumed: 0 });
  expect(second.snapshotId).not.toBe(first);
  expect(wrongBlock(second.snapshotId, disk.blocks)).toBeUndefined();
});

test('one that is deleted right after its start is waited for, and then made anew', async () => {
  const { upload, folder, cloud, wrongBlock } = await startUploadKit();
  const disk = await diskOf(join(folder, 'disk.raw'), 'a0b');
  const { snapshots } = cloud.state.region(REGION);
  const clear = () => {
    snapshots.clear();
    return { kind: 'cut' } as const;
  };
  cloud.state.faults.add({ verb: 'ebs:PutSnapshotBlock', nth: 1, harm: clear });
  const limits = { delay: 20, mostDelay: 50, unknown: 300 };
  const { snapshotId } = await upload(disk, {}, { limits });
  expect(wrongBlock(snapshotId, disk.blocks)).toBeUndefined();
});

test('what an earlier run had completed, and EC2 still calls pending, is waited for', async () => {
  const kit = await startUploadKit({ lags: 'longest', faster: 60 });
  const { upload, folder, count, cloud, wrongBlock } = kit;
  const disk = await diskOf(join(folder, 'disk.raw'), 'a0b');
  const stop = new AbortController();
  const first = upload(
    disk,
    {},
    {
      signal: stop.signal,
      snapshotState: async () => {
        stop.abort();
        return 'pending';
      },
    },
  );
  await expect(first).rejects.toMatchObject({ code: 'cancelled' });
  expect(count('CompleteSnapshot', 'done')).toBe(1);
  const second = await upload(disk);
  expect(second).toMatchObject({ sent: 0, resumed: 2 });
  expect(cloud.state.region(REGION).snapshots.size).toBe(1);
  expect(wrongBlock(second.snapshotId, disk.blocks)).toBeUndefined();
});

test('kill -9 in the middle: the next run goes on with what was sent', async () => {
  const { cloud, upload, folder, count, wrongBlock } = await startUploadKit();
  const disk = await diskOf(join(folder, 'disk.raw'), DISK);
  const stopped = cloud.state.faults.add({
    verb: 'ebs:PutSnapshotBlock',
    nth: 21,
    times: 1e6,
    harm: { kind: 'silence' },
  });
  const { accessKey: accessKeyId, secret: secretAccessKey } = cloud.admin;
  const { path, size } = disk;
  const digests = Buffer.from(disk.blocks.digests).toString('base64');
  const given = { region: REGION, endpoint: cloud.url, recordFolder: folder };
  const words = JSON.stringify({ ...given, source: { path, size }, digests, keys: { accessKeyId, secretAccessKey } });
  const child = spawn(process.execPath, [join(import.meta.dirname, 'upload-child.ts'), words], { stdio: 'inherit' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  for (let time = 0; time < 500 && count('PutSnapshotBlock', 'done') < 20; time += 1) await wait(20);
  await wait(100);
  child.kill('SIGKILL');
  await ended;
  stopped();
  const second = await upload(disk, {}, { recordFolder: folder });
  expect(second).toMatchObject({ sent: DATA - 20, resumed: 20 });
  expect(wrongBlock(second.snapshotId, disk.blocks)).toBeUndefined();
});
