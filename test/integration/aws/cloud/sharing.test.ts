import {
  CopySnapshotCommand,
  DeleteSnapshotCommand,
  DescribeImageReferencesCommand,
  DescribeImagesCommand,
  DescribeSnapshotAttributeCommand,
  DescribeSnapshotsCommand,
  DisableImageDeprecationCommand,
  EnableImageDeprecationCommand,
  EnableSnapshotBlockPublicAccessCommand,
  ModifyImageAttributeCommand,
  ModifySnapshotAttributeCommand,
} from '@aws-sdk/client-ec2';
import {
  DeleteParametersCommand,
  ListTagsForResourceCommand,
  PutParameterCommand,
  RemoveTagsFromResourceCommand,
} from '@aws-sdk/client-ssm';
import { expect, it } from 'vitest';
import { addImage, addSnapshot, refusalOf, startCloudKit } from './kit.ts';

const DAY = 24 * 3_600_000;

it('shares snapshots, unless a block or a key is against it, and shows them to whom they are shared with', async () => {
  const kit = await startCloudKit();
  const client = kit.ec2();
  const { id: SnapshotId } = addSnapshot(kit);
  const { stranger } = kit.cloud;
  const share = (more: object) =>
    refusalOf(
      client.send(new ModifySnapshotAttributeCommand({ SnapshotId, Attribute: 'createVolumePermission', ...more })),
    );
  expect(await share({ OperationType: 'add', UserIds: [stranger.account] })).toBe('');
  const outside = async () => (await kit.ec2('us-east-1', stranger).send(new DescribeSnapshotsCommand({}))).Snapshots;
  expect(await outside()).toMatchObject([{ SnapshotId }]);
  expect(await share({ OperationType: 'remove', UserIds: [stranger.account] })).toBe('');
  expect(await outside()).toEqual([]);
  await client.send(new EnableSnapshotBlockPublicAccessCommand({ State: 'block-new-sharing' }));
  expect(await share({ OperationType: 'add', GroupNames: ['all'] })).toBe('OperationNotPermitted 400');
  expect(await share({ OperationType: 'add', UserIds: ['x'] })).toBe('InvalidParameterValue 400');
  const shown = new DescribeSnapshotAttributeCommand({ SnapshotId, Attribute: 'createVolumePermission' });
  expect((await client.send(shown)).CreateVolumePermissions).toEqual([]);
  const remove = new DeleteSnapshotCommand({ SnapshotId });
  expect(await refusalOf(kit.ec2('us-east-1', stranger).send(remove))).toBe('InvalidSnapshot.NotFound 400');
  expect(kit.cloud.violations).toEqual([]);
});

it('copies snapshots into a region, and counts them with the copies of images', async () => {
  const kit = await startCloudKit();
  const source = addSnapshot(kit, 'us-east-1', {
    blocks: new Map([[3, { checksum: 'x', writtenAt: 0, data: undefined }]]),
  });
  const client = kit.ec2('eu-west-1');
  const copy = async (SourceRegion = 'us-east-1') =>
    client.send(new CopySnapshotCommand({ SourceRegion, SourceSnapshotId: source.id, Description: 'a copy' }));
  const { SnapshotId = '' } = await copy();
  const state = async () =>
    (await client.send(new DescribeSnapshotsCommand({ SnapshotIds: [SnapshotId] }))).Snapshots?.[0]?.State;
  expect(await state()).toBe('pending');
  kit.cloud.state.region('eu-west-1').otherCopies = 19;
  expect(await refusalOf(copy())).toBe('ResourceLimitExceeded 400');
  kit.clock.advance(3_600_000);
  expect(await state()).toBe('completed');
  expect(await refusalOf(copy('us-gov-east-1'))).toBe('InvalidParameterValue 400');
  expect(await refusalOf(copy('eu-west-2'))).toBe('InvalidSnapshot.NotFound 400');
  expect(kit.cloud.violations).toEqual([]);
});

it('says who uses an image: launch templates and the newest values of parameters', async () => {
  const kit = await startCloudKit();
  const client = kit.ec2();
  const [image, other] = [await addImage(kit), await addImage(kit)];
  const template = 'arn:aws:ec2:us-east-1:123456789012:launch-template/lt-1';
  kit.cloud.state.region('us-east-1').launchTemplates.set(template, image);
  const put = (Name: string, Value: string, more = {}) =>
    kit.ssm().send(new PutParameterCommand({ Name, Value, Type: 'String', DataType: 'aws:ec2:image', ...more }));
  await put('/a', image);
  await put('/b', image);
  await put('/b', other, { Overwrite: true });
  const references = (more: object) => client.send(new DescribeImageReferencesCommand({ ImageIds: [image], ...more }));
  const { ImageReferences = [] } = await references({ IncludeAllResourceTypes: true });
  expect(ImageReferences.map(({ ResourceType, Arn }) => [ResourceType, Arn])).toEqual([
    ['ec2:LaunchTemplate', template],
    ['ssm:Parameter', 'arn:aws:ssm:us-east-1:123456789012:parameter/a'],
  ]);
  const parameters = await references({ ResourceTypes: [{ ResourceType: 'ssm:Parameter' }] });
  expect(parameters.ImageReferences).toHaveLength(1);
  expect(await refusalOf(references({}))).toBe('InvalidParameterCombination 400');
  expect(kit.cloud.violations).toEqual([]);
});

it('takes a deprecation back, though for public images only to the date that AWS sets', async () => {
  const kit = await startCloudKit();
  const client = kit.ec2();
  const ImageId = await addImage(kit);
  const time = async () => {
    const [image] = (await client.send(new DescribeImagesCommand({ ImageIds: [ImageId] }))).Images ?? [];
    return image?.DeprecationTime && Date.parse(image.DeprecationTime) - kit.clock.now();
  };
  await client.send(new EnableImageDeprecationCommand({ ImageId, DeprecateAt: new Date(kit.clock.now() + 30 * DAY) }));
  await client.send(new DisableImageDeprecationCommand({ ImageId }));
  expect(await time()).toBeUndefined();
  const everybody = { Attribute: 'launchPermission', OperationType: 'add' as const, UserGroups: ['all'] };
  await client.send(new ModifyImageAttributeCommand({ ImageId, ...everybody }));
  await client.send(new DisableImageDeprecationCommand({ ImageId }));
  expect(await time()).toBeGreaterThan(729 * DAY);
  expect(kit.cloud.violations).toEqual([]);
});

it('deletes parameters and their tags', async () => {
  const kit = await startCloudKit();
  const client = kit.ssm();
  const Tags = [{ Key: 'a', Value: 'b' }];
  await client.send(new PutParameterCommand({ Name: 'p', Value: 'x', Type: 'String', Tags }));
  const tagged = { ResourceType: 'Parameter' as const, ResourceId: 'p' };
  await client.send(new RemoveTagsFromResourceCommand({ ...tagged, TagKeys: ['a'] }));
  expect((await client.send(new ListTagsForResourceCommand(tagged))).TagList).toEqual([]);
  expect(await client.send(new DeleteParametersCommand({ Names: ['p', 'q'] }))).toMatchObject({
    DeletedParameters: ['p'],
    InvalidParameters: ['q'],
  });
  expect(kit.cloud.contents().parameters).toEqual([]);
  expect(kit.cloud.violations).toEqual([]);
});
