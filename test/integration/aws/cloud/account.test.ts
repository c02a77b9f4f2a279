import {
  CancelImportTaskCommand,
  CreateTagsCommand,
  DeleteTagsCommand,
  DescribeImageReferencesCommand,
  DescribeImagesCommand,
  DescribeImportSnapshotTasksCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypesCommand,
  DescribeRegionsCommand,
  DescribeSnapshotsCommand,
  DisableImageBlockPublicAccessCommand,
  EnableImageBlockPublicAccessCommand,
  GetConsoleOutputCommand,
  GetEbsDefaultKmsKeyIdCommand,
  GetEbsEncryptionByDefaultCommand,
  GetImageBlockPublicAccessStateCommand,
  GetSnapshotBlockPublicAccessStateCommand,
  ImportSnapshotCommand,
  type ImportSnapshotCommandInput,
  RunInstancesCommand,
  type RunInstancesCommandInput,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { expect, it } from 'vitest';
import { addImage, addSnapshot, refusalOf, startCloudKit } from './kit.ts';

const MINUTE = 60_000;
const GIB = 1024 ** 3;

it('lists the regions of its partition, those to opt in to on request', async () => {
  const kit = await startCloudKit();
  const names = async (more = {}) =>
    (await kit.ec2().send(new DescribeRegionsCommand(more))).Regions?.map(({ RegionName }) => RegionName) ?? [];
  expect(await names()).not.toContain('me-central-1');
  expect(await names({ AllRegions: true })).toContain('me-central-1');
  expect(await names({ AllRegions: true })).not.toContain('us-gov-west-1');
  const optIn = { AllRegions: true, Filters: [{ Name: 'opt-in-status', Values: ['not-opted-in'] }] };
  expect(await names(optIn)).toHaveLength(5);
  expect(await refusalOf(names({ RegionNames: ['eu-nowhere-1'] }))).toBe('InvalidParameterValue 400');
});

it('has settings for each region, and changes the block of public images late', async () => {
  const kit = await startCloudKit({ lags: 'longest' });
  const client = kit.ec2();
  const state = async () =>
    (await client.send(new GetImageBlockPublicAccessStateCommand({}))).ImageBlockPublicAccessState;
  expect(await state()).toBe('unblocked');
  await client.send(new EnableImageBlockPublicAccessCommand({ ImageBlockPublicAccessState: 'block-new-sharing' }));
  const seen = new Set<string | undefined>();
  for (let at = 0; at < 12; at++) seen.add(await state());
  expect(seen.size).toBe(2);
  kit.clock.advance(10 * MINUTE);
  expect(await state()).toBe('block-new-sharing');
  await client.send(new DisableImageBlockPublicAccessCommand({}));
  kit.clock.advance(10 * MINUTE);
  expect(await state()).toBe('unblocked');
  expect(await client.send(new GetSnapshotBlockPublicAccessStateCommand({}))).toMatchObject({ State: 'unblocked' });
  kit.cloud.state.region('us-east-1').settingsOf('123456789012').encryptsByDefault = true;
  const encrypts = async (region: string) =>
    (await kit.ec2(region).send(new GetEbsEncryptionByDefaultCommand({}))).EbsEncryptionByDefault;
  expect([await encrypts('us-east-1'), await encrypts('eu-west-1')]).toEqual([true, false]);
  expect((await client.send(new GetEbsDefaultKmsKeyIdCommand({}))).KmsKeyId).toMatch(
    /^arn:aws:kms:us-east-1:123456789012/,
  );
  expect(kit.cloud.violations).toEqual([]);
});

it('runs an image that its type can run, tells what the console says, and ends it', async () => {
  const kit = await startCloudKit();
  const client = kit.ec2();
  const ImageId = await addImage(kit);
  kit.cloud.state.console = ({ imageId }) => `started ${imageId}`;
  const run = (more: Partial<RunInstancesCommandInput> = {}) =>
    client.send(new RunInstancesCommand({ ImageId, InstanceType: 't4g.nano', MinCount: 1, MaxCount: 1, ...more }));
  expect(await refusalOf(run({ InstanceType: 't3.nano' }))).toBe('InvalidParameterValue 400');
  const noEna = await addImage(kit, { EnaSupport: false });
  expect(await refusalOf(run({ ImageId: noEna }))).toBe('InvalidParameterCombination 400');
  const old = await addImage(kit, { Architecture: 'x86_64', VirtualizationType: 'paravirtual' });
  expect(await refusalOf(run({ ImageId: old, InstanceType: 't3.nano' }))).toBe('InvalidParameterCombination 400');

  const first = await run({ ClientToken: 'smoke' });
  const id = first.Instances?.[0]?.InstanceId ?? '';
  expect((await run({ ClientToken: 'smoke' })).Instances?.[0]?.InstanceId).toBe(id);
  const stateOf = async () => {
    const { Reservations } = await client.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
    return Reservations?.[0]?.Instances?.[0]?.State?.Name;
  };
  const said = async (Latest = true) =>
    (await client.send(new GetConsoleOutputCommand({ InstanceId: id, Latest }))).Output;
  expect([await stateOf(), await said()]).toEqual(['pending', undefined]);
  kit.clock.advance(MINUTE);
  expect([await stateOf(), Buffer.from((await said()) ?? '', 'base64').toString()]).toEqual([
    'running',
    `started ${ImageId}`,
  ]);
  expect(await said(false)).toBeUndefined();
  const references = new DescribeImageReferencesCommand({ ImageIds: [ImageId], IncludeAllResourceTypes: true });
  expect((await client.send(references)).ImageReferences).toMatchObject([{ ImageId, ResourceType: 'ec2:Instance' }]);
  await client.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  expect(await stateOf()).toBe('shutting-down');
  kit.clock.advance(MINUTE);
  expect(await stateOf()).toBe('terminated');
  const launched = async () =>
    (await client.send(new DescribeImagesCommand({ ImageIds: [ImageId] }))).Images?.[0]?.LastLaunchedTime;
  expect(await launched()).toBeUndefined();
  kit.clock.advance(24 * 60 * MINUTE);
  expect(await launched()).toBeDefined();
  const types = { Filters: [{ Name: 'processor-info.supported-architecture', Values: ['arm64'] }] };
  expect((await client.send(new DescribeInstanceTypesCommand(types))).InstanceTypes).toHaveLength(3);
  expect(await refusalOf(client.send(new GetConsoleOutputCommand({ InstanceId: 'i-0' })))).toBe(
    'InvalidInstanceID.NotFound 400',
  );
  expect(kit.cloud.violations).toEqual([]);
});

it('imports disks from S3, which takes its time, fails late, and can be ended', async () => {
  const kit = await startCloudKit();
  const client = kit.ec2();
  const region = kit.cloud.state.region('us-east-1');
  region.objects.set('bucket/disk.vhd', 3 * GIB - 1);
  const start = (more: Partial<ImportSnapshotCommandInput> = {}, S3Key = 'disk.vhd') =>
    client.send(
      new ImportSnapshotCommand({
        DiskContainer: { Format: 'VHD', UserBucket: { S3Bucket: 'bucket', S3Key } },
        ...more,
      }),
    );
  const detail = async (id = '') =>
    (await client.send(new DescribeImportSnapshotTasksCommand({ ImportTaskIds: [id] }))).ImportSnapshotTasks?.[0]
      ?.SnapshotTaskDetail;
  expect(await refusalOf(start({}, 'other'))).toBe('InvalidParameter 400');
  expect(
    await refusalOf(start({ DiskContainer: { Format: 'qcow2', UserBucket: { S3Bucket: 'a', S3Key: 'b' } } })),
  ).toBe('InvalidParameter 400');
  const { ImportTaskId: good } = await start({ ClientToken: 'a' });
  expect((await start({ ClientToken: 'a' })).ImportTaskId).toBe(good);
  region.importFailures.push('ClientError: Disk validation failed [Unknown format]');
  const { ImportTaskId: bad } = await start();
  const { ImportTaskId: ended } = await start();
  expect(await detail(good)).toMatchObject({ Status: 'active', StatusMessage: 'pending' });
  expect((await detail(good))?.SnapshotId).toBeUndefined();
  await client.send(new CancelImportTaskCommand({ ImportTaskId: ended }));
  kit.clock.advance(2 * MINUTE);
  const { SnapshotId } = (await detail(good)) ?? {};
  const { Snapshots } = await client.send(new DescribeSnapshotsCommand({ SnapshotIds: [SnapshotId ?? ''] }));
  expect(Snapshots).toMatchObject([{ State: 'completed', VolumeSize: 3 }]);
  expect(await detail(bad)).toMatchObject({
    Status: 'deleted',
    StatusMessage: expect.stringContaining('Unknown format'),
  });
  expect(await detail(ended)).toMatchObject({ Status: 'deleted' });
  region.hasImportRole = false;
  expect(await refusalOf(start())).toBe('InvalidParameter 400');
  expect(region.snapshots.size).toBe(1);
  expect(kit.cloud.violations).toEqual([]);
});

it('tags images and snapshots, and finds them by their tags', async () => {
  const kit = await startCloudKit();
  const client = kit.ec2();
  const { id } = addSnapshot(kit);
  const image = await addImage(kit);
  const tag = (Tags: { Key: string; Value: string }[], Resources = [id, image]) =>
    client.send(new CreateTagsCommand({ Resources, Tags }));
  await tag([
    { Key: 'nix-images:run', Value: '7' },
    { Key: 'b', Value: '' },
  ]);
  const Filters = [{ Name: 'tag:nix-images:run', Values: ['7'] }];
  const found = async () => [
    (await client.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'], Filters }))).Snapshots?.[0]?.SnapshotId,
    (await client.send(new DescribeImagesCommand({ Owners: ['self'], Filters }))).Images?.[0]?.ImageId,
  ];
  expect(await found()).toEqual([id, image]);
  expect(await refusalOf(tag([{ Key: 'aws:a', Value: '' }]))).toBe('InvalidParameterValue 400');
  expect(await refusalOf(tag([{ Key: 'k'.repeat(129), Value: '' }]))).toBe('InvalidParameterValue 400');
  expect(await refusalOf(tag(Array.from({ length: 49 }, (_, at) => ({ Key: `${at}`, Value: '' }))))).toBe(
    'TagLimitExceeded 400',
  );
  expect(await refusalOf(tag([{ Key: 'c', Value: '' }], [id, 'ami-00000000']))).toBe('InvalidAMIID.NotFound 400');
  await client.send(new DeleteTagsCommand({ Resources: [id, image], Tags: [{ Key: 'nix-images:run', Value: '8' }] }));
  expect(await found()).toEqual([id, image]);
  await client.send(new DeleteTagsCommand({ Resources: [id, image], Tags: [{ Key: 'nix-images:run' }] }));
  expect(await found()).toEqual([undefined, undefined]);
  expect(kit.cloud.violations).toEqual([]);
});
