import {
  CopyImageCommand,
  type CopyImageCommandInput,
  DeleteSnapshotCommand,
  DeregisterImageCommand,
  DescribeImagesCommand,
  DescribeSnapshotsCommand,
  type EC2Client,
  ModifyImageAttributeCommand,
  ModifySnapshotAttributeCommand,
  RegisterImageCommand,
} from '@aws-sdk/client-ec2';
import { expect, it } from 'vitest';
import { addSnapshot, type CloudKit, refusalOf, startCloudKit } from './kit.ts';

const MINUTE = 60_000;

const imageIn = async (kit: CloudKit, kmsKey?: string): Promise<string> => {
  const { id: SnapshotId } = addSnapshot(kit, 'us-east-1', { kmsKey });
  const answer = await kit.ec2().send(
    new RegisterImageCommand({
      Name: `image of ${SnapshotId}`,
      Architecture: 'arm64',
      VirtualizationType: 'hvm',
      RootDeviceName: '/dev/xvda',
      BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { SnapshotId } }],
      TagSpecifications: [{ ResourceType: 'image', Tags: [{ Key: 'a', Value: 'b' }] }],
    }),
  );
  return answer.ImageId ?? '';
};

const copy = async (client: EC2Client, SourceImageId: string, more: Partial<CopyImageCommandInput> = {}) => {
  const answer = await client.send(
    new CopyImageCommand({
      Name: 'a copy',
      SourceRegion: 'us-east-1',
      SourceImageId,
      ClientToken: crypto.randomUUID(),
      ...more,
    }),
  );
  return answer.ImageId ?? '';
};

const describe = async (client: EC2Client, ...ImageIds: string[]) =>
  (await client.send(new DescribeImagesCommand({ ImageIds }))).Images?.[0];

it('copies into another region within an hour, without permissions, and without a snapshot that is told before', async () => {
  const kit = await startCloudKit({ lags: 'none' });
  const source = await imageIn(kit);
  const everybody = { LaunchPermission: { Add: [{ Group: 'all' as const }] } };
  await kit.ec2().send(new ModifyImageAttributeCommand({ ImageId: source, ...everybody }));
  const client = kit.ec2('eu-central-1');
  const id = await copy(client, source, { ClientToken: 'x', CopyImageTags: true });
  expect(await copy(client, source, { ClientToken: 'x', CopyImageTags: true })).toBe(id);
  expect(await refusalOf(copy(client, source, { ClientToken: 'x' }))).toBe('IdempotentParameterMismatch 400');
  const pending = await describe(client, id);
  expect([pending?.State, pending?.BlockDeviceMappings?.[0]?.Ebs?.SnapshotId]).toEqual(['pending', undefined]);
  const share = new ModifyImageAttributeCommand({ ImageId: id, ...everybody });
  expect(await refusalOf(client.send(share))).toBe('InvalidAMIID.Unavailable 400');
  kit.clock.advance(5 * MINUTE);
  const ready = await describe(client, id);
  expect(ready).toMatchObject({
    State: 'available',
    Public: false,
    SourceImageId: source,
    SourceImageRegion: 'us-east-1',
    Architecture: 'arm64',
    Tags: [{ Key: 'a', Value: 'b' }],
  });
  expect(ready?.BlockDeviceMappings?.[0]?.Ebs?.SnapshotId).toMatch(/^snap-/);
  await client.send(share);
  expect(kit.cloud.violations).toEqual([]);
});

it('begins twenty at a time in a region, those of others among them', async () => {
  const kit = await startCloudKit();
  const source = await imageIn(kit);
  kit.cloud.state.region('eu-west-1').otherCopies = 18;
  const client = kit.ec2('eu-west-1');
  await copy(client, source, { Name: 'first' });
  await copy(client, source, { Name: 'second' });
  expect(await refusalOf(copy(client, source, { Name: 'third' }))).toBe('ResourceLimitExceeded 400');
  await copy(kit.ec2('eu-west-2'), source, { Name: 'third' });
  kit.clock.advance(60 * MINUTE);
  await copy(client, source, { Name: 'third' });
});

it('fails later, with a reason, and leaves an image that has the name', async () => {
  const kit = await startCloudKit();
  const source = await imageIn(kit);
  const client = kit.ec2('eu-west-1');
  kit.cloud.state.region('eu-west-1').copyFailures.push('Copy image failed with an internal error.');
  const id = await copy(client, source);
  const key = 'arn:aws:kms:eu-west-1:123456789012:key/none';
  const other = await copy(client, source, { Name: 'other', Encrypted: true, KmsKeyId: key });
  expect((await describe(client, id))?.State).toBe('pending');
  kit.clock.advance(60 * MINUTE);
  expect(await describe(client, id)).toMatchObject({
    State: 'failed',
    StateReason: { Message: 'Copy image failed with an internal error.' },
  });
  expect((await describe(client, other))?.StateReason?.Message).toBe('Given key ID is not accessible');
  expect(await refusalOf(copy(client, source))).toBe('InvalidAMIName.Duplicate 400');
  await client.send(new DeregisterImageCommand({ ImageId: id }));
  expect(await refusalOf(copy(client, source))).toBe('');
  expect(kit.cloud.violations).toEqual([]);
});

it('refuses what cannot be copied: storage that is not shared, decryption, other partitions, wrong times, pending images', async () => {
  const kit = await startCloudKit();
  const source = await imageIn(kit);
  const own = kit.ec2();
  const stranger = kit.ec2('eu-west-1', kit.cloud.stranger);
  expect(await refusalOf(copy(stranger, source))).toBe('InvalidAMIID.NotFound 400');
  await own.send(new ModifyImageAttributeCommand({ ImageId: source, LaunchPermission: { Add: [{ Group: 'all' }] } }));
  expect(await refusalOf(copy(stranger, source))).toBe('InvalidRequest 400');
  const [SnapshotId] = kit.cloud.state.region('us-east-1').snapshots.keys();
  await own.send(
    new ModifySnapshotAttributeCommand({ SnapshotId, CreateVolumePermission: { Add: [{ Group: 'all' }] } }),
  );
  expect(await refusalOf(copy(stranger, source))).toBe('');
  const managed = kit.cloud.state.region('us-east-1').managedKey('123456789012');
  const encrypted = await imageIn(kit, managed);
  const client = kit.ec2('eu-west-1');
  expect(await refusalOf(copy(client, encrypted, { Encrypted: false }))).toBe('InvalidRequest 400');
  expect(await refusalOf(copy(client, source, { KmsKeyId: 'x' }))).toBe('InvalidParameterDependency 400');
  expect(await refusalOf(copy(client, source, { SnapshotCopyCompletionDurationMinutes: 20 }))).toBe(
    'InvalidParameterValue 400',
  );
  const [SourceRegion] = ['us-gov-west-1'];
  expect(await refusalOf(copy(client, source, { SourceRegion }))).toBe('InvalidRequest 400');
  const pending = await copy(client, source);
  expect(await refusalOf(copy(own, pending, { SourceRegion: 'eu-west-1' }))).toBe('InvalidAMIID.Unavailable 400');
  expect(await refusalOf(client.send(new DescribeImagesCommand({ ImageIds: ['image'] })))).toBe(
    'InvalidAMIID.Malformed 400',
  );
  expect(kit.cloud.violations).toEqual([]);
});

it('encrypts where the destination does so by default; such snapshots cannot be shared', async () => {
  const kit = await startCloudKit();
  const source = await imageIn(kit);
  const region = kit.cloud.state.region('eu-west-1');
  region.settingsOf('123456789012').encryptsByDefault = true;
  const client = kit.ec2('eu-west-1');
  await copy(client, source);
  kit.clock.advance(60 * MINUTE);
  const { Snapshots = [] } = await client.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'] }));
  expect(Snapshots).toMatchObject([
    { Encrypted: true, State: 'completed', KmsKeyId: region.managedKey('123456789012') },
  ]);
  const SnapshotId = Snapshots[0]?.SnapshotId;
  const share = { SnapshotId, CreateVolumePermission: { Add: [{ UserId: '999999999999' }] } };
  expect(await refusalOf(client.send(new ModifySnapshotAttributeCommand(share)))).toBe('OperationNotPermitted 400');
});

it('ends a copy that is under way by deregistering its image, whose snapshot stays; one in five is in use for longer', async () => {
  const kit = await startCloudKit({ lags: 'longest' });
  const source = await imageIn(kit);
  kit.clock.advance(60 * MINUTE);
  const client = kit.ec2('eu-west-1');
  const remove = (SnapshotId: string) => refusalOf(client.send(new DeleteSnapshotCommand({ SnapshotId })));
  const outcomes: string[] = [];
  const held: string[] = [];
  for (let at = 0; at < 15; at++) {
    const ImageId = await copy(client, source, { Name: `copy ${at}` });
    const [snapshot = ''] = [...kit.cloud.state.region('eu-west-1').snapshots.keys()].slice(-1);
    kit.clock.advance(150_000);
    expect(await remove(snapshot)).toBe('InvalidSnapshot.InUse 400');
    await client.send(new DeregisterImageCommand({ ImageId }));
    const outcome = await remove(snapshot);
    if (outcome !== '') held.push(snapshot);
    outcomes.push(outcome);
  }
  expect(new Set(outcomes)).toEqual(new Set(['', 'InvalidSnapshot.InUse 400']));
  expect(held.length).toBeLessThan(8);
  kit.clock.advance(5 * MINUTE);
  for (const snapshot of held) expect(await remove(snapshot)).toBe('');
  expect(await remove(held[0] ?? '')).toBe('InvalidSnapshot.NotFound 400');
});
