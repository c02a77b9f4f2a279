// moto takes two seconds to start; it holds the objects, and the emulated cloud imports them. The command sends the 64 MiB of a disk that boots, twice.

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { partBytes } from '../../../src/aws/object-parts.ts';
import { openImports } from '../../../src/aws/open-imports.ts';
import type { ImportOptions, ImportSettings } from '../../../src/ebs/import-settings.ts';
import { discardImport, importSnapshot } from '../../../src/ebs/import-snapshot.ts';
import { startCloud } from '../../emulators/aws/cloud/emulator.ts';
import { variablesOf } from '../../emulators/aws/cloud/identities.ts';
import { chancesOf } from '../../support/chances.ts';
import { IdleClock } from '../../support/idle-clock.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { inRegions, makeDisks, startDeployKit } from '../aws/deploy-kit.ts';
import { startMoto } from '../aws/sts.ts';
import { diskOf, plainFetch, REGION } from './kit.ts';

const BUCKET = 'disks-of-ci';
const ELSEWHERE = 'disks-elsewhere';
const OPTIONS: ImportOptions = {
  key: 'content of eu',
  description: 'team/server 1.0',
  tags: { Name: 'server', 'nix-images:content': 'a' },
};

/** 20 MiB: two parts of 8 MiB and one that is shorter. */
const DISK = 'ab0cd0cb'.repeat(5);

let moto: S3Client;
let motoUrl: string;
let endMoto: () => Promise<void>;

beforeAll(async () => {
  motoUrl = await startMoto((end) => {
    endMoto = end;
  });
  moto = s3In(REGION);
  for (const [region, Bucket] of [
    [REGION, BUCKET],
    ['us-west-2', ELSEWHERE],
  ] as const)
    await s3In(region).send(
      new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: region } }),
    );
});

afterAll(() => endMoto?.());

const s3In = (region: string): S3Client =>
  new S3Client({
    ...{ region, endpoint: motoUrl, forcePathStyle: true },
    credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
  });

/** What the bucket holds: objects, and uploads that have not ended. */
async function stored(): Promise<string[]> {
  const [{ Contents = [] }, { Uploads = [] }] = await Promise.all([
    moto.send(new ListObjectsV2Command({ Bucket: BUCKET })),
    moto.send(new ListMultipartUploadsCommand({ Bucket: BUCKET })),
  ]);
  return [...Contents.map(({ Key = '' }) => Key), ...Uploads.map(({ Key }) => `upload of ${Key}`)];
}

/** EC2 reads what is in the bucket by now: an object when its upload has ended, whose key is given. */
async function readByEc2(objects: Map<string, number>, url: URL, init: RequestInit): Promise<string | undefined> {
  if (init.method !== 'POST' || !url.searchParams.has('uploadId')) return undefined;
  const Key = url.pathname.slice(`/${BUCKET}/`.length);
  const { ContentLength = 0 } = await moto.send(new HeadObjectCommand({ Bucket: BUCKET, Key }));
  objects.set(`${BUCKET}/${Key}`, ContentLength);
  return Key;
}

async function bytesOf(Key: string): Promise<Buffer> {
  const { Body } = await moto.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

async function startImports(lags: 'none' | 'longest' = 'none') {
  const clock = new IdleClock(chancesOf(3));
  const cloud = await startCloud({ now: () => clock.now(), lags });
  onTestFinished(() => cloud.stop());
  const dir = await uniqueTempDir('import');
  onTestFinished(() => dir.remove());
  const region = cloud.state.region(REGION);
  const log = memoryLog();
  const stop = new AbortController();
  /** Called with each request's verb before it is sent. */
  const hooks = { onPart: (_number: number): void => undefined };
  let bytes: Buffer | undefined;
  const variables: Readonly<Record<string, string>> = {
    ...variablesOf(cloud.admin),
    AWS_ENDPOINT_URL: cloud.url,
    AWS_ENDPOINT_URL_S3: motoUrl,
  };
  const sent = async (...[input, init = {}]: Parameters<typeof fetch>): Promise<Response> => {
    const url = new URL(String(input));
    const part = url.searchParams.get('partNumber');
    if (part !== null) hooks.onPart(Number(part));
    const response = await plainFetch(input, init);
    const { status, headers } = response;
    const answer = new Response(status === 204 ? null : await response.arrayBuffer(), { status, headers });
    const key = await readByEc2(region.objects, url, init);
    if (key !== undefined) bytes = await bytesOf(key);
    return answer;
  };
  const settings: ImportSettings = {
    ...{ region: REGION, bucket: BUCKET, log, clock, signal: stop.signal },
    open: async (signal) =>
      openImports(
        { log, signal, env: (name) => variables[name], fetch: (...call) => clock.track(sent(...call)) },
        REGION,
        { name: BUCKET, owner: cloud.admin.account },
      ),
  };
  const disk = await diskOf(join(dir.path, 'disk.raw'), DISK);
  return {
    ...{ cloud, clock, region, disk, settings, stop, hooks, log },
    uploaded: () => bytes,
    run: (more: Partial<ImportSettings> = {}) => importSnapshot({ ...settings, ...more }, disk, OPTIONS),
    verbs: () => cloud.requests.map(({ verb }) => verb.replace('ec2:', '')),
  };
}

test('a disk goes through S3, byte for byte; the snapshot gets its tags, and the bucket is empty again', async () => {
  const { run, cloud, disk, uploaded, verbs } = await startImports('longest');
  const { snapshotId, encrypted } = await run();
  expect(encrypted).toBe(false);
  expect(uploaded()?.equals(await readFile(disk.path))).toBe(true);
  expect(cloud.contents().snapshots).toMatchObject([{ id: snapshotId, state: 'completed', tags: OPTIONS.tags }]);
  expect(await stored()).toEqual([]);
  expect(verbs().filter((verb) => verb === 'ImportSnapshot')).toHaveLength(1);
  expect(cloud.violations).toEqual([]);
});

test('deploy-ami takes the way through S3, and takes everything back where the import fails', async () => {
  await using disks = await uniqueTempDir('import-disks');
  await makeDisks(disks.path);
  const kit = await startDeployKit(disks.path);
  const { objects, importFailures } = kit.cloud.state.region(REGION);
  const answered = async (...[input, init = {}]: Parameters<typeof fetch>): Promise<void> => {
    await readByEc2(objects, new URL(String(input)), init);
  };
  const words = [kit.disk('x64'), ...inRegions([REGION, 'us-east-1']), '--upload', 's3', '--upload-bucket', BUCKET];
  const run = () => kit.run([...words, '--json'], { s3: { url: motoUrl, answered } });

  importFailures.push('ClientError: Disk validation failed [Unsupported partition table]');
  const failed = await run();
  expect(failed.exitCode).toBe(1);
  expect(failed.stderr).toMatch(/deployment failed, and everything was taken back:\n.*Unsupported partition table/);
  expect(kit.cloud.contents()).toMatchObject({ images: [], snapshots: [] });
  expect(await stored()).toEqual([]);

  const { exitCode, stdout, stderr } = await run();
  expect(exitCode, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ outcome: 'published' });
  const { images, snapshots } = kit.cloud.contents();
  expect(images.map(({ region }) => region).sort()).toEqual([REGION, 'us-east-1']);
  expect(snapshots).toHaveLength(2);
  expect([...objects.values()]).toEqual([(await stat(join(disks.path, 'x64.raw'))).size]);
  expect(kit.count('ec2:ImportSnapshot') + kit.count('ebs:StartSnapshot')).toBe(2);
  expect(await stored()).toEqual([]);
  expect(kit.cloud.violations).toEqual([]);
});

test('who comes after a run that was killed goes on with its import', async () => {
  const { run, cloud, log } = await startImports();
  // The first run ends without cleaning up.
  const dead = run({
    clock: { now: () => 0, random: () => 0, sleep: () => new Promise(() => {}) },
  });
  void dead.catch(() => undefined);
  while (cloud.requests.filter(({ verb }) => verb === 'ec2:DescribeImportSnapshotTasks').length < 2)
    await new Promise((resolve) => setTimeout(resolve, 20));
  const { snapshotId } = await run();
  expect(log.lines.join('\n')).toMatch(/going on with import-snap-\S+ in eu-central-1/);
  expect(cloud.contents().snapshots.map(({ id }) => id)).toEqual([snapshotId]);
  expect(await stored()).toEqual([]);
});

test('a run that is stopped in the upload or in the import leaves nothing', async () => {
  const first = await startImports();
  first.hooks.onPart = (number) => {
    if (number === 2) first.stop.abort();
  };
  await expect(first.run()).rejects.toMatchObject({ code: 'cancelled' });
  expect(await stored()).toEqual([]);
  const second = await startImports();
  const { sleep } = second.clock;
  second.clock.sleep = async (milliseconds, signal) => {
    second.stop.abort();
    return await sleep.call(second.clock, milliseconds, signal);
  };
  await expect(second.run()).rejects.toMatchObject({ code: 'cancelled' });
  expect(second.verbs()).toContain('CancelImportTask');
  expect(second.cloud.contents().snapshots).toEqual([]);
  expect(await stored()).toEqual([]);
});

test('an import that fails is told with the reason, and the next run makes another', async () => {
  const { run, cloud, region } = await startImports();
  region.importFailures.push(
    'ClientError: Disk validation failed [We do not have access to the given resource. Reason 403 Forbidden]',
  );
  await expect(run()).rejects.toMatchObject({
    code: 'aws',
    message: expect.stringMatching(
      /^import-snap-\S+ in eu-central-1 has failed: ClientError: Disk validation failed .*403/,
    ),
    hint: expect.stringContaining('the role may read the bucket'),
  });
  expect(await stored()).toEqual([]);
  const { snapshotId } = await run();
  expect(cloud.contents().snapshots.map(({ id }) => id)).toEqual([snapshotId]);
});

test('a role that is missing is told with what it must allow; one that was just made is waited for', async () => {
  const { run, region, clock } = await startImports();
  region.hasImportRole = false;
  await expect(run()).rejects.toMatchObject({
    code: 'input',
    message: expect.stringContaining('The service role vmimport provided does not exist'),
    hint: expect.stringMatching(/vmie\.amazonaws\.com.*s3:GetObject on arn:aws:s3:::disks-of-ci\/\*/),
  });
  expect(await stored()).toEqual([]);
  void clock.sleep(20_000).then(() => {
    region.hasImportRole = true;
  });
  await run();
});

test('a bucket of another region is refused before the upload', async () => {
  const { settings, disk, stop } = await startImports();
  const open: ImportSettings['open'] = async (signal) => {
    const faces = await settings.open(signal);
    return { ...faces, s3: { ...faces.s3, bucketRegion: async () => 'us-west-2' } };
  };
  await expect(importSnapshot({ ...settings, bucket: ELSEWHERE, open }, disk, OPTIONS)).rejects.toMatchObject({
    code: 'input',
    message: 'the bucket disks-elsewhere is in us-west-2, and the disk goes to eu-central-1',
  });
  expect(stop.signal.aborted).toBe(false);
});

test('what a killed run has left is taken back by another: import, snapshot, object, parts', async () => {
  const { run, cloud, settings, clock } = await startImports();
  const dead = run({ clock: { now: () => 0, random: () => 0, sleep: () => new Promise(() => {}) } });
  void dead.catch(() => undefined);
  while (!cloud.requests.some(({ verb, outcome }) => verb === 'ec2:ImportSnapshot' && outcome === 'done'))
    await new Promise((resolve) => setTimeout(resolve, 20));
  const { s3 } = await settings.open(new AbortController().signal);
  const [key = ''] = await stored();
  await s3.beginUpload(key);
  await discardImport(settings, OPTIONS);
  expect(await stored()).toEqual([]);
  await clock.sleep(3_600_000);
  expect(cloud.contents().snapshots).toEqual([]);
});

test('a disk that has changed is told, and nothing stays', async () => {
  const { settings, disk } = await startImports();
  const blocks = { ...disk.blocks, digests: disk.blocks.digests.slice() };
  blocks.digests.fill(7, 32, 64);
  await expect(importSnapshot(settings, { ...disk, blocks }, OPTIONS)).rejects.toMatchObject({
    code: 'file',
    message: `${disk.path} has changed since it was hashed: block 1, at byte 524288`,
  });
  expect(await stored()).toEqual([]);
});

test('parts are as small as S3 and memory like them, and never more than it takes', () => {
  expect(partBytes(5 * 1024 ** 3, 524_288)).toBe(8 * 1024 ** 2);
  for (const size of [1024 ** 3, 100 * 1024 ** 3, 4 * 1024 ** 4])
    expect(Math.ceil(size / partBytes(size, 524_288))).toBeLessThanOrEqual(10_000);
});
