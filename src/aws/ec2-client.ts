import {
  CopyImageCommand,
  CreateTagsCommand,
  DeleteSnapshotCommand,
  DeregisterImageCommand,
  DescribeImageAttributeCommand,
  DescribeRegionsCommand,
  DescribeSnapshotAttributeCommand,
  DisableImageDeregistrationProtectionCommand,
  EC2Client,
  EnableImageDeprecationCommand,
  EnableImageDeregistrationProtectionCommand,
  GetEbsEncryptionByDefaultCommand,
  GetImageBlockPublicAccessStateCommand,
  GetSnapshotBlockPublicAccessStateCommand,
  ModifyImageAttributeCommand,
  ModifySnapshotAttributeCommand,
  paginateDescribeImages,
  paginateDescribeSnapshots,
  RegisterImageCommand,
} from '@aws-sdk/client-ec2';
import { UserError } from '../core/error.ts';
import { clientSettings } from './client-settings.ts';
import { callCloud } from './cloud-failure.ts';
import type { AmiQuery, AmiRegistration, Ec2Api, Sharing, SnapshotQuery } from './ec2-api.ts';
import { readImages, readRegions, readSharing, readSnapshots } from './ec2-records.ts';
import type { AwsWorld } from './ecr-api.ts';

/** AMIs or snapshots in one answer; without a number EC2 gives all at once, and limits such requests more (EC2 user guide, "Request throttling"). */
const PAGE = 500;

const OURS = ['self'];

const tagsOf = (tags: Readonly<Record<string, string>>) => Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));

const filter = (Name: string, Values: readonly string[]) => ({ Filters: [{ Name, Values: [...Values] }] });

function imageFilter(query: AmiQuery) {
  // By filter and not by ImageIds: one that is gone is an empty answer then, and no error that hides the others.
  if ('ids' in query) return filter('image-id', query.ids);
  if ('names' in query) return filter('name', query.names);
  if ('snapshots' in query) return filter('block-device-mapping.snapshot-id', query.snapshots);
  if ('isPublic' in query) return filter('is-public', ['true']);
  return filter(`tag:${query.tag}`, query.values);
}

const snapshotFilter = (query: SnapshotQuery) =>
  'ids' in query ? filter('snapshot-id', query.ids) : filter(`tag:${query.tag}`, query.values);

/** Of snapshots, which know accounts and everybody. */
const volumePermissionsOf = ({ public: isPublic, accounts }: Sharing) => [
  ...(isPublic ? [{ Group: 'all' as const }] : []),
  ...accounts.map((UserId) => ({ UserId })),
];

const permissionsOf = (sharing: Sharing) => [
  ...volumePermissionsOf(sharing),
  ...sharing.organizations.map((OrganizationArn) => ({ OrganizationArn })),
  ...sharing.units.map((OrganizationalUnitArn) => ({ OrganizationalUnitArn })),
];

const registrationOf = (wanted: AmiRegistration) => ({
  Name: wanted.name,
  Description: wanted.description,
  Architecture: wanted.architecture,
  VirtualizationType: 'hvm',
  EnaSupport: true,
  SriovNetSupport: 'simple',
  BootMode: wanted.bootMode,
  ...(wanted.tpm ? { TpmSupport: 'v2.0' as const } : {}),
  ...(wanted.uefiData === undefined ? {} : { UefiData: wanted.uefiData }),
  ImdsSupport: 'v2.0' as const,
  RootDeviceName: wanted.rootDevice,
  BlockDeviceMappings: [
    {
      DeviceName: wanted.rootDevice,
      Ebs: { SnapshotId: wanted.snapshotId, VolumeType: 'gp3' as const, DeleteOnTermination: true },
    },
  ],
  TagSpecifications: [{ ResourceType: 'image' as const, Tags: tagsOf(wanted.tags) }],
});

function given(id: string | undefined, what: string): string {
  if (id !== undefined) return id;
  throw new UserError('aws', `${what}: the answer of AWS names no id`, { hint: 'Run again.' });
}

/** EC2 in one region (API version 2016-11-15), by AWS's own client, which tries again what may be repeated. */
export function openEc2(world: AwsWorld, region: string): Ec2Api {
  const client = new EC2Client(clientSettings(world, 'EC2', region));
  const { signal } = world;
  const call = <T>(verb: string, what: string, work: () => Promise<T>): Promise<T> =>
    callCloud({ action: `ec2:${verb}`, what, region, signal }, work);
  return {
    images: (query) =>
      call('DescribeImages', 'cannot list AMIs', async () => {
        const found: unknown[] = [];
        const input = { ...imageFilter(query), Owners: OURS, IncludeDisabled: true, IncludeDeprecated: true };
        // The page may be empty and have another one behind it.
        for await (const page of paginateDescribeImages({ client, pageSize: PAGE }, input))
          found.push(...(page.Images ?? []));
        return readImages(found);
      }),
    snapshots: (query) =>
      call('DescribeSnapshots', 'cannot list snapshots', async () => {
        const found: unknown[] = [];
        const input = { ...snapshotFilter(query), OwnerIds: OURS };
        for await (const page of paginateDescribeSnapshots({ client, pageSize: PAGE }, input))
          found.push(...(page.Snapshots ?? []));
        return readSnapshots(found);
      }),
    registerImage: (wanted) => {
      const what = `cannot register ${wanted.name}`;
      return call('RegisterImage', what, async () =>
        given((await client.send(new RegisterImageCommand(registrationOf(wanted)))).ImageId, what),
      );
    },
    copyImage: (copy) => {
      const what = `cannot copy ${copy.sourceId} from ${copy.sourceRegion}`;
      const tags = tagsOf(copy.tags);
      const input = {
        ClientToken: copy.clientToken,
        Name: copy.name,
        Description: copy.description,
        SourceRegion: copy.sourceRegion,
        SourceImageId: copy.sourceId,
        ...(copy.kmsKey === undefined ? {} : { Encrypted: true, KmsKeyId: copy.kmsKey }),
        ...(copy.minutes === undefined ? {} : { SnapshotCopyCompletionDurationMinutes: copy.minutes }),
        TagSpecifications: (['image', 'snapshot'] as const).map((ResourceType) => ({ ResourceType, Tags: tags })),
      };
      return call('CopyImage', what, async () => given((await client.send(new CopyImageCommand(input))).ImageId, what));
    },
    deregisterImage: async (ImageId) => {
      await call('DeregisterImage', `cannot deregister ${ImageId}`, () =>
        client.send(new DeregisterImageCommand({ ImageId })),
      );
    },
    deleteSnapshot: async (SnapshotId) => {
      await call('DeleteSnapshot', `cannot delete ${SnapshotId}`, () =>
        client.send(new DeleteSnapshotCommand({ SnapshotId })),
      );
    },
    imageSharing: (ImageId) =>
      call('DescribeImageAttribute', `cannot read the launch permissions of ${ImageId}`, async () => {
        const Attribute = 'launchPermission' as const;
        return readSharing(
          (await client.send(new DescribeImageAttributeCommand({ ImageId, Attribute }))).LaunchPermissions,
        );
      }),
    shareImage: async (ImageId, { add, remove }) => {
      const LaunchPermission = { Add: permissionsOf(add), Remove: permissionsOf(remove) };
      await call('ModifyImageAttribute', `cannot share ${ImageId}`, () =>
        client.send(new ModifyImageAttributeCommand({ ImageId, LaunchPermission })),
      );
    },
    snapshotSharing: (SnapshotId) =>
      call('DescribeSnapshotAttribute', `cannot read the permissions of ${SnapshotId}`, async () => {
        const Attribute = 'createVolumePermission' as const;
        const answer = await client.send(new DescribeSnapshotAttributeCommand({ SnapshotId, Attribute }));
        return readSharing(answer.CreateVolumePermissions);
      }),
    shareSnapshot: async (SnapshotId, { add, remove }) => {
      const CreateVolumePermission = { Add: volumePermissionsOf(add), Remove: volumePermissionsOf(remove) };
      await call('ModifySnapshotAttribute', `cannot share ${SnapshotId}`, () =>
        client.send(new ModifySnapshotAttributeCommand({ SnapshotId, CreateVolumePermission })),
      );
    },
    deprecateImage: async (ImageId, at) => {
      await call('EnableImageDeprecation', `cannot set when ${ImageId} is deprecated`, () =>
        client.send(new EnableImageDeprecationCommand({ ImageId, DeprecateAt: new Date(at) })),
      );
    },
    protectImage: async (ImageId, WithCooldown) => {
      await call('EnableImageDeregistrationProtection', `cannot protect ${ImageId}`, () =>
        client.send(new EnableImageDeregistrationProtectionCommand({ ImageId, WithCooldown })),
      );
    },
    unprotectImage: async (ImageId) => {
      await call('DisableImageDeregistrationProtection', `cannot end the protection of ${ImageId}`, () =>
        client.send(new DisableImageDeregistrationProtectionCommand({ ImageId })),
      );
    },
    tag: async (id, tags) => {
      await call('CreateTags', `cannot tag ${id}`, () =>
        client.send(new CreateTagsCommand({ Resources: [id], Tags: tagsOf(tags) })),
      );
    },
    regions: () =>
      call('DescribeRegions', 'cannot list the regions', async () =>
        readRegions((await client.send(new DescribeRegionsCommand({ AllRegions: true }))).Regions),
      ),
    encryptsByDefault: () =>
      call('GetEbsEncryptionByDefault', 'cannot ask whether snapshots are encrypted by default', async () => {
        const answer = await client.send(new GetEbsEncryptionByDefaultCommand({}));
        return answer.EbsEncryptionByDefault ?? false;
      }),
    blocksPublicImages: () =>
      call('GetImageBlockPublicAccessState', 'cannot ask whether public AMIs are blocked', async () => {
        const answer = await client.send(new GetImageBlockPublicAccessStateCommand({}));
        return answer.ImageBlockPublicAccessState === 'block-new-sharing';
      }),
    blocksPublicSnapshots: () =>
      call('GetSnapshotBlockPublicAccessState', 'cannot ask whether public snapshots are blocked', async () => {
        const answer = await client.send(new GetSnapshotBlockPublicAccessStateCommand({}));
        return (answer.State ?? 'unblocked') !== 'unblocked';
      }),
  };
}
