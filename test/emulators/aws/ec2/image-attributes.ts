import type { DescribeImageAttributeRequest, LaunchPermission, ModifyImageAttributeRequest } from '@aws-sdk/client-ec2';
import type { CloudCall } from '../cloud/cloud-call.ts';
import { changeView } from './change-view.ts';
import { deprecationOf } from './deprecation.ts';
import type { Image } from './image.ts';
import { availableImage, ownImage, refused } from './look-up.ts';

const ITEMS: readonly (readonly [keyof LaunchPermission, RegExp])[] = [
  ['Group', /^all$/],
  ['UserId', /^\d{12}$/],
  ['OrganizationArn', /^arn:[a-z-]+:organizations::\d{12}:organization\/o-[a-z0-9]{10,32}$/],
  [
    'OrganizationalUnitArn',
    /^arn:[a-z-]+:organizations::\d{12}:ou\/o-[a-z0-9]{10,32}\/ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}$/,
  ],
];

/** Whom a permission is for, as one text. */
function whoOf(permission: LaunchPermission): string {
  const given = ITEMS.filter(([name]) => permission[name] !== undefined);
  const [first] = given;
  if (first === undefined || given.length > 1)
    throw refused(
      'InvalidParameterCombination',
      'A launch permission names exactly one of group, user and organization.',
    );
  const [name, pattern] = first;
  const value = String(permission[name]);
  if (!pattern.test(value))
    throw refused('InvalidAMIAttributeItemValue', `Invalid attribute item value "${value}" for ${name} item type.`);
  return value;
}

/** Both ways of saying what is added and removed, as one. */
function permissionsOf(input: ModifyImageAttributeRequest): { add: string[]; remove: string[] } | undefined {
  const { LaunchPermission: given, OperationType, UserIds = [], UserGroups = [] } = input;
  const { OrganizationArns = [], OrganizationalUnitArns = [] } = input;
  const listed = [
    ...UserGroups.map((Group) => ({ Group: Group as 'all' })),
    ...UserIds.map((UserId) => ({ UserId })),
    ...OrganizationArns.map((OrganizationArn) => ({ OrganizationArn })),
    ...OrganizationalUnitArns.map((OrganizationalUnitArn) => ({ OrganizationalUnitArn })),
  ];
  if (given && listed.length > 0)
    throw refused('InvalidParameterCombination', 'LaunchPermission cannot be used with lists of users and groups.');
  if (listed.length > 0) {
    if (input.Attribute !== 'launchPermission' || OperationType === undefined)
      throw refused('MissingParameter', 'Lists of users and groups need Attribute and OperationType.');
    return { add: [], remove: [], [OperationType]: listed.map(whoOf) };
  }
  return given && { add: (given.Add ?? []).map(whoOf), remove: (given.Remove ?? []).map(whoOf) };
}

/** The accounts' limit ("AMI quotas"). */
const MOST_SHARED = 1000;

/** Refuses to share what cannot be shared, by the snapshots under it. */
function checkSnapshots({ region, caller }: CloudCall<unknown>, image: Image, isPublic: boolean): void {
  for (const { Ebs } of image.mappings) {
    const key = region.snapshots.get(Ebs?.SnapshotId ?? '')?.kmsKey;
    if (key === region.managedKey(caller.account))
      throw refused('InvalidParameter', "Snapshots encrypted with the AWS Managed CMK can't be shared");
    if (key !== undefined && isPublic)
      throw refused('InvalidParameter', "Images with encrypted snapshots can't be made public");
  }
}

function checkPublic(call: CloudCall<unknown>): void {
  const { region, caller, now, cloud } = call;
  const settings = region.settingsOf(caller.account);
  if (settings.blocksPublicImages.read(now, cloud.world.random())) {
    throw refused(
      'OperationNotPermitted',
      'You can’t publicly share this image because block public access for AMIs is enabled for this account.',
    );
  }
  const count = [...region.images.values()].filter(
    (one) => one.owner === caller.account && !one.gone && one.view.value.sharedWith.has('all'),
  ).length;
  if (count >= settings.publicImages) {
    throw refused(
      'ResourceLimitExceeded',
      `You have reached your quota of ${settings.publicImages} for the number of public images allowed in this Region. ` +
        'Deregister unused public images, or request an increase in your public AMIs quota.',
    );
  }
}

function share(call: CloudCall<unknown>, image: Image, { add, remove }: { add: string[]; remove: string[] }): void {
  const before = image.view.value;
  const sharedWith = new Set([...before.sharedWith, ...add]);
  for (const who of remove) sharedWith.delete(who);
  const isNewlyPublic = sharedWith.has('all') && !before.sharedWith.has('all');
  if (add.length > 0) checkSnapshots(call, image, add.includes('all'));
  if (isNewlyPublic) checkPublic(call);
  if (sharedWith.size > MOST_SHARED)
    throw refused('ResourceLimitExceeded', 'You have reached your quota of 1000 launch permissions for this image.');
  const deprecatesAt = sharedWith.has('all') ? deprecationOf(image, before.deprecatesAt) : before.deprecatesAt;
  changeView(call, image, { sharedWith, deprecatesAt });
}

export function modifyImageAttribute(call: CloudCall<ModifyImageAttributeRequest>): object {
  const { input } = call;
  const image = availableImage(call, input.ImageId);
  const permissions = permissionsOf(input);
  const description = input.Description?.Value ?? (input.Attribute === 'description' ? input.Value : undefined);
  if ((permissions === undefined) === (description === undefined))
    throw refused('InvalidParameterCombination', 'The request changes no attribute, or two at once.');
  if (permissions) share(call, image, permissions);
  else changeView(call, image, { description: description ?? '' });
  return {};
}

const permissionOf = (who: string): LaunchPermission => {
  if (who === 'all') return { Group: 'all' };
  if (/^\d+$/.test(who)) return { UserId: who };
  return who.includes(':ou/') ? { OrganizationalUnitArn: who } : { OrganizationArn: who };
};

export function describeImageAttribute(call: CloudCall<DescribeImageAttributeRequest>): object {
  const { input, cloud, now } = call;
  const image = ownImage(call, input.ImageId);
  const view = image.view.read(now, cloud.world.random());
  const ImageId = image.id;
  switch (input.Attribute) {
    case 'launchPermission':
      return { ImageId, LaunchPermissions: [...view.sharedWith].map(permissionOf) };
    case 'description':
      return { ImageId, Description: { Value: view.description } };
    case 'bootMode':
      return { ImageId, BootMode: { Value: image.bootMode ?? '' } };
    case 'tpmSupport':
      return { ImageId, TpmSupport: { Value: image.tpmSupport ?? '' } };
    case 'imdsSupport':
      return { ImageId, ImdsSupport: { Value: image.imdsSupport ?? '' } };
    case 'uefiData':
      return { ImageId, UefiData: { Value: image.uefiData ?? '' } };
    case 'deregistrationProtection':
      return { ImageId, DeregistrationProtection: { Value: image.protection } };
    default:
      throw refused('InvalidRequest', `The attribute ${input.Attribute} is not emulated`);
  }
}
