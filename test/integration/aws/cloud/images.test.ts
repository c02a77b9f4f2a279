import {
  CreateTagsCommand,
  DeregisterImageCommand,
  DescribeImageAttributeCommand,
  DescribeImagesCommand,
  type DescribeImagesCommandInput,
  DisableImageCommand,
  DisableImageDeregistrationProtectionCommand,
  type EC2Client,
  EnableImageCommand,
  EnableImageDeprecationCommand,
  EnableImageDeregistrationProtectionCommand,
  ModifyImageAttributeCommand,
  RegisterImageCommand,
  type RegisterImageCommandInput,
} from '@aws-sdk/client-ec2';
import { expect, it } from 'vitest';
import { addSnapshot, type CloudKit, refusalOf, startCloudKit } from './kit.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const YEAR = 365 * DAY;

const settingsOf = (SnapshotId: string, more: Partial<RegisterImageCommandInput> = {}): RegisterImageCommandInput => ({
  Name: 'nixos 25.11 (x86_64)',
  Architecture: 'x86_64',
  VirtualizationType: 'hvm',
  EnaSupport: true,
  RootDeviceName: '/dev/xvda',
  BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { SnapshotId, VolumeType: 'gp3' } }],
  ...more,
});

const register = async (kit: CloudKit, more: Partial<RegisterImageCommandInput> = {}, region = 'us-east-1') => {
  const { id } = addSnapshot(kit, region);
  const answer = await kit.ec2(region).send(new RegisterImageCommand(settingsOf(id, more)));
  return { snapshot: id, image: answer.ImageId ?? '' };
};

const images = async (client: EC2Client, more: DescribeImagesCommandInput = {}) =>
  (await client.send(new DescribeImagesCommand(more))).Images ?? [];

const share = (client: EC2Client, ImageId: string, ...who: object[]) =>
  client.send(new ModifyImageAttributeCommand({ ImageId, LaunchPermission: { Add: who } }));

it('registers an image with every attribute, and shows it', async () => {
  const kit = await startCloudKit();
  const client = kit.ec2();
  const { image, snapshot } = await register(kit, {
    BootMode: 'uefi',
    TpmSupport: 'v2.0',
    ImdsSupport: 'v2.0',
    SriovNetSupport: 'simple',
    Description: 'a < b & "c"',
    TagSpecifications: [{ ResourceType: 'image', Tags: [{ Key: 'nix-images:content', Value: 'sha256:00' }] }],
  });
  const [shown] = await images(client, { Filters: [{ Name: 'tag:nix-images:content', Values: ['sha256:*'] }] });
  expect(shown).toMatchObject({
    ImageId: image,
    State: 'available',
    Public: false,
    Description: 'a < b & "c"',
    Architecture: 'x86_64',
    VirtualizationType: 'hvm',
    EnaSupport: true,
    SriovNetSupport: 'simple',
    BootMode: 'uefi',
    TpmSupport: 'v2.0',
    ImdsSupport: 'v2.0',
    RootDeviceName: '/dev/xvda',
    BlockDeviceMappings: [
      {
        DeviceName: '/dev/xvda',
        Ebs: { SnapshotId: snapshot, VolumeSize: 2, VolumeType: 'gp3', Encrypted: false, DeleteOnTermination: true },
      },
    ],
    Tags: [{ Key: 'nix-images:content', Value: 'sha256:00' }],
  });
  expect(await images(kit.ec2('eu-west-1'))).toEqual([]);
  expect(await images(kit.ec2('us-east-1', kit.cloud.stranger))).toEqual([]);
  expect(kit.cloud.violations).toEqual([]);
});

it('has the defaults of 2008 where nothing is said', async () => {
  const kit = await startCloudKit();
  const { id: SnapshotId } = addSnapshot(kit);
  const plain = { Name: 'plain', BlockDeviceMappings: [{ DeviceName: '/dev/sda1', Ebs: { SnapshotId } }] };
  await kit.ec2().send(new RegisterImageCommand(plain));
  expect((await images(kit.ec2()))[0]).toMatchObject({
    Architecture: 'i386',
    VirtualizationType: 'paravirtual',
    EnaSupport: false,
    RootDeviceName: '/dev/sda1',
    BlockDeviceMappings: [{ Ebs: { VolumeType: 'gp2' } }],
  });
});

it('refuses names, snapshots and combinations as EC2 does', async () => {
  const kit = await startCloudKit();
  const { image } = await register(kit);
  const { id } = addSnapshot(kit);
  const { id: pending } = addSnapshot(kit, 'us-east-1', { state: 'pending' });
  const { id: elsewhere } = addSnapshot(kit, 'eu-west-1');
  const attempt = (more: Partial<RegisterImageCommandInput>, snapshot = id) =>
    refusalOf(kit.ec2().send(new RegisterImageCommand(settingsOf(snapshot, { Name: 'other', ...more }))));
  expect(await attempt({ Name: 'nixos 25.11 (x86_64)' })).toBe('InvalidAMIName.Duplicate 400');
  expect(await attempt({ Name: 'a:b' })).toBe('InvalidAMIName.Malformed 400');
  expect(await attempt({}, pending)).toBe('IncorrectState 400');
  expect(await attempt({}, elsewhere)).toBe('InvalidSnapshot.NotFound 400');
  expect(await attempt({ TpmSupport: 'v2.0', BootMode: 'uefi-preferred' })).toBe('InvalidParameterCombination 400');
  expect(await attempt({ Architecture: 'arm64', BootMode: 'legacy-bios' })).toBe('InvalidParameterCombination 400');
  expect(await attempt({ RootDeviceName: '/dev/sda1' })).toBe('InvalidBlockDeviceMapping 400');
  expect(
    await attempt({ BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { SnapshotId: id, VolumeSize: 1 } }] }),
  ).toBe('InvalidBlockDeviceMapping 400');
  expect(await attempt({ TagSpecifications: [{ ResourceType: 'snapshot', Tags: [] }] })).toBe(
    'InvalidParameterValue 400',
  );
  expect(await attempt({ DryRun: true })).toBe('DryRunOperation 412');
  kit.cloud.admin.denied.add('ec2:RegisterImage');
  expect(await attempt({ DryRun: true })).toBe('UnauthorizedOperation 403');
  kit.cloud.admin.denied.clear();
  expect(kit.cloud.violations).toEqual([]);
  // The name is free again once its image is gone.
  await kit.ec2().send(new DeregisterImageCommand({ ImageId: image }));
  expect(await attempt({ Name: 'nixos 25.11 (x86_64)' })).toBe('');
  expect(await attempt({ Name: 'ab' })).toBe('InvalidParameterValue 400');
  expect(kit.cloud.violations).toHaveLength(1);
});

it('is shared with accounts, organizations and everybody, as far as quota, block and encryption let it', async () => {
  const kit = await startCloudKit();
  const client = kit.ec2();
  const region = kit.cloud.state.region('us-east-1');
  const { image } = await register(kit);
  const organization = 'arn:aws:organizations::123456789012:organization/o-abcdefghij';
  await share(client, image, { UserId: '999999999999' }, { OrganizationArn: organization });
  const outside = kit.ec2('us-east-1', kit.cloud.stranger);
  expect((await images(outside)).map(({ ImageId, Tags }) => [ImageId, Tags])).toEqual([[image, undefined]]);
  const shown = new DescribeImageAttributeCommand({ ImageId: image, Attribute: 'launchPermission' });
  expect((await client.send(shown)).LaunchPermissions).toEqual([
    { UserId: '999999999999' },
    { OrganizationArn: organization },
  ]);
  expect(await refusalOf(share(outside, image, { Group: 'all' }))).toBe('AuthFailure 400');
  expect(await refusalOf(share(client, image, { UserId: '12' }))).toBe('InvalidAMIAttributeItemValue 400');

  region.settingsOf('123456789012').blocksPublicImages.set(true, 0);
  expect(await refusalOf(share(client, image, { Group: 'all' }))).toBe('OperationNotPermitted 400');
  region.settingsOf('123456789012').blocksPublicImages.set(false, 0);
  for (let at = 0; at < 5; at++) {
    const { image: another } = await register(kit, { Name: `public ${at}` });
    await share(client, another, { Group: 'all' });
  }
  expect(await refusalOf(share(client, image, { Group: 'all' }))).toBe('ResourceLimitExceeded 400');
  const everything = await images(client, { Filters: [{ Name: 'is-public', Values: ['true'] }] });
  expect(everything).toHaveLength(5);
  const years = (Date.parse(everything[0]?.DeprecationTime ?? '') - kit.clock.now()) / YEAR;
  expect(years).toBeCloseTo(2, 1);

  const { id } = addSnapshot(kit, 'us-east-1', { kmsKey: region.managedKey('123456789012') });
  const encrypted = await client.send(new RegisterImageCommand(settingsOf(id, { Name: 'encrypted' })));
  expect(await refusalOf(share(client, encrypted.ImageId ?? '', { UserId: '999999999999' }))).toBe(
    'InvalidParameter 400',
  );
  expect(kit.cloud.violations).toEqual([]);
});

it('is deprecated to the minute, within the limits', async () => {
  const kit = await startCloudKit();
  const client = kit.ec2();
  const { image: ImageId } = await register(kit);
  const deprecate = (milliseconds: number) =>
    client.send(new EnableImageDeprecationCommand({ ImageId, DeprecateAt: new Date(kit.clock.now() + milliseconds) }));
  expect(await refusalOf(deprecate(-DAY))).toBe('InvalidParameterValue 400');
  expect(await refusalOf(deprecate(11 * YEAR))).toBe('InvalidParameterValue 400');
  await deprecate(9 * YEAR);
  await share(client, ImageId, { Group: 'all' });
  expect(await refusalOf(deprecate(3 * YEAR))).toBe('InvalidParameterValue 400');
  await deprecate(90 * DAY);
  const [shown] = await images(client);
  const time = Date.parse(shown?.DeprecationTime ?? '');
  expect([time % MINUTE, Math.abs(time - kit.clock.now() - 90 * DAY) <= MINUTE / 2]).toEqual([0, true]);
  kit.clock.advance(91 * DAY);
  const outside = kit.ec2('us-east-1', kit.cloud.stranger);
  expect([
    await images(outside),
    await images(outside, { IncludeDeprecated: true }),
    await images(client),
  ]).toMatchObject([[], [{ ImageId }], [{ ImageId }]]);
});

it('is protected, disabled, enabled and deregistered', async () => {
  const kit = await startCloudKit();
  const client = kit.ec2();
  const { image: ImageId, snapshot } = await register(kit);
  const deregister = (more = {}) => client.send(new DeregisterImageCommand({ ImageId, ...more }));
  await client.send(new EnableImageDeregistrationProtectionCommand({ ImageId, WithCooldown: true }));
  expect(await refusalOf(deregister())).toBe('OperationNotPermitted 400');
  await client.send(new DisableImageDeregistrationProtectionCommand({ ImageId }));
  kit.clock.advance(DAY - MINUTE);
  expect(await refusalOf(deregister())).toBe('OperationNotPermitted 400');
  kit.clock.advance(MINUTE);
  await share(client, ImageId, { Group: 'all' });
  await client.send(new DisableImageCommand({ ImageId }));
  expect([await images(client, { Owners: ['self'] }), await images(client, { ImageIds: [ImageId] })]).toEqual([[], []]);
  expect(await images(client, { IncludeDisabled: true })).toMatchObject([{ State: 'disabled', Public: false }]);
  expect(await refusalOf(share(client, ImageId, { Group: 'all' }))).toBe('InvalidAMIID.Unavailable 400');
  await client.send(new EnableImageCommand({ ImageId }));
  expect(await images(client)).toMatchObject([{ State: 'available', Public: false }]);
  expect(await deregister({ DeleteAssociatedSnapshots: true })).toMatchObject({
    Return: true,
    DeleteSnapshotResults: [{ SnapshotId: snapshot, ReturnCode: 'success' }],
  });
  expect(kit.cloud.state.region('us-east-1').snapshots.size).toBe(0);
  expect(await refusalOf(deregister())).toBe('InvalidAMIID.NotFound 400');
  expect(kit.cloud.violations).toEqual([]);
});

it('is seen late: not yet, as before, and after it is gone still, then not, then as if it had never been', async () => {
  const kit = await startCloudKit({ lags: 'longest' });
  const client = kit.ec2();
  const { image: ImageId } = await register(kit);
  const many = async (ask: () => Promise<unknown>) => {
    const answers: unknown[] = [];
    for (let at = 0; at < 12; at++) answers.push(await ask());
    return new Set(answers);
  };
  const tag = () =>
    refusalOf(client.send(new CreateTagsCommand({ Resources: [ImageId], Tags: [{ Key: 'a', Value: 'b' }] })));
  expect(await many(tag)).toEqual(new Set(['', 'InvalidAMIID.NotFound 400']));
  kit.clock.advance(150_000);
  const deprecated = async () => (await images(client, { ImageIds: [ImageId] }))[0]?.DeprecationTime !== undefined;
  await client.send(new EnableImageDeprecationCommand({ ImageId, DeprecateAt: new Date(kit.clock.now() + DAY) }));
  expect(await many(deprecated)).toEqual(new Set([true, false]));
  kit.clock.advance(MINUTE);
  expect(await many(deprecated)).toEqual(new Set([true]));

  await client.send(new DeregisterImageCommand({ ImageId }));
  const ask = () => images(client, { ImageIds: [ImageId] });
  expect(await ask()).toHaveLength(1);
  const again = () => refusalOf(client.send(new DeregisterImageCommand({ ImageId })));
  expect(await again()).toBe('InvalidAMIID.Unavailable 400');
  kit.clock.advance(MINUTE);
  expect([await ask(), await again()]).toEqual([[], 'InvalidAMIID.Unavailable 400']);
  kit.clock.advance(60 * MINUTE);
  expect([await refusalOf(ask()), await again()]).toEqual(['InvalidAMIID.NotFound 400', 'InvalidAMIID.NotFound 400']);
  expect(kit.cloud.violations).toEqual([]);
});

it('comes in pages, some of them empty, in any order; lists of everything at once are throttled', async () => {
  const kit = await startCloudKit({ lags: 'reported', seed: 3 });
  for (let at = 0; at < 12; at++) await register(kit, { Name: `image ${at}` });
  kit.clock.advance(DAY);
  const client = kit.ec2();
  const sizes: number[] = [];
  const names: string[] = [];
  let NextToken: string | undefined;
  do {
    const page = await client.send(new DescribeImagesCommand({ Owners: ['self'], MaxResults: 1, NextToken }));
    sizes.push(page.Images?.length ?? 0);
    names.push(...(page.Images ?? []).map(({ Name = '' }) => Name));
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  expect(new Set(names).size).toBe(12);
  expect(names).not.toEqual(names.toSorted((a, b) => Number(a.slice(6)) - Number(b.slice(6))));
  expect(Math.min(...sizes)).toBe(0);
  expect(await refusalOf(images(client))).toBe('RequestLimitExceeded 503');
  expect(await images(client)).toHaveLength(12);
  const both = { ImageIds: ['ami-00000000'], MaxResults: 5 };
  expect(await refusalOf(images(client, both))).toBe('InvalidParameterCombination 400');
  expect(await refusalOf(images(client, { Filters: [{ Name: 'nme', Values: ['x'] }] }))).toBe(
    'InvalidParameterValue 400',
  );
});
