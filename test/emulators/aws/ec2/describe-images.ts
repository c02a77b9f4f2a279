import type { DescribeImagesRequest, Image as SdkImage } from '@aws-sdk/client-ec2';
import type { CloudCall } from '../cloud/cloud-call.ts';
import { CloudError } from '../cloud/cloud-error.ts';
import { checkFilters, type Filtered, passes, tagFilters } from './filters.ts';
import { type Image, type ImageView, imageState } from './image.ts';
import { findImage, isKnown, maySee, refused } from './look-up.ts';
import { pageOfIds } from './pages.ts';
import { tagList } from './tag-specification.ts';

const FILTERS = [
  ...['name', 'state', 'architecture', 'owner-id', 'image-id', 'is-public', 'description', 'root-device-type'],
  ...['virtualization-type', 'block-device-mapping.snapshot-id', 'source-image-id', 'source-image-region', 'tag-key'],
];

/** Launches show a day later. */
const LAUNCH_LAG = 24 * 60 * 60 * 1000;

interface Seen {
  readonly image: Image;
  readonly view: ImageView;
}

const snapshotsOf = ({ mappings }: Image): string[] =>
  mappings.map(({ Ebs }) => Ebs?.SnapshotId).filter((id) => id !== undefined);

function filteredBy({ image, view }: Seen, state: string): Filtered {
  return {
    ...tagFilters(view.tags),
    name: [image.name],
    state: [state],
    architecture: [image.architecture],
    'owner-id': [image.owner],
    'image-id': [image.id],
    'is-public': [String(view.sharedWith.has('all'))],
    description: [view.description],
    'root-device-type': ['ebs'],
    'virtualization-type': [image.virtualization],
    'block-device-mapping.snapshot-id': snapshotsOf(image),
    'source-image-id': image.source ? [image.source.id] : [],
    'source-image-region': image.source ? [image.source.region] : [],
  };
}

function describe({ image, view }: Seen, { now, caller }: CloudCall<unknown>): SdkImage {
  const state = imageState(image, now);
  const launched =
    image.lastLaunched !== undefined && now >= image.lastLaunched + LAUNCH_LAG ? image.lastLaunched : undefined;
  const isOwn = image.owner === caller.account;
  return {
    ImageId: image.id,
    OwnerId: image.owner,
    Name: image.name,
    ...(view.description === '' ? {} : { Description: view.description }),
    State: state,
    ...(state === 'failed' ? { StateReason: { Code: 'Client.InternalError', Message: image.failure } } : {}),
    Public: view.sharedWith.has('all'),
    Architecture: image.architecture as SdkImage['Architecture'],
    ImageType: 'machine',
    ImageLocation: `${image.owner}/${image.name}`,
    CreationDate: new Date(image.createdAt).toISOString(),
    RootDeviceName: image.rootDevice,
    RootDeviceType: 'ebs',
    // The snapshots of one that is pending are not told (bottlerocket 1066).
    BlockDeviceMappings: image.mappings.map(({ Ebs, ...mapping }) => ({
      ...mapping,
      ...(Ebs ? { Ebs: { ...Ebs, SnapshotId: state === 'pending' ? undefined : Ebs.SnapshotId } } : {}),
    })),
    VirtualizationType: image.virtualization as SdkImage['VirtualizationType'],
    EnaSupport: image.enaSupport,
    SriovNetSupport: image.sriovNetSupport,
    BootMode: image.bootMode as SdkImage['BootMode'],
    TpmSupport: image.tpmSupport as SdkImage['TpmSupport'],
    ImdsSupport: image.imdsSupport as SdkImage['ImdsSupport'],
    Hypervisor: 'xen',
    PlatformDetails: 'Linux/UNIX',
    UsageOperation: 'RunInstances',
    ...(view.deprecatesAt === undefined ? {} : { DeprecationTime: new Date(view.deprecatesAt).toISOString() }),
    ...(isOwn ? { Tags: tagList(view.tags), DeregistrationProtection: image.protection } : {}),
    ...(isOwn && launched !== undefined ? { LastLaunchedTime: new Date(launched).toISOString() } : {}),
    SourceImageId: image.source?.id,
    SourceImageRegion: image.source?.region,
  };
}

type Describe = CloudCall<DescribeImagesRequest>;

/** Whether an image that was not asked for by its id is on a list. */
function isListed({ image, view }: Seen, { input, caller, now }: Describe): boolean {
  const { Owners = [], ExecutableUsers = [], IncludeDisabled = false, IncludeDeprecated = false } = input;
  if (image.gone && now >= image.gone.hiddenFrom) return false;
  if (
    Owners.length > 0 &&
    !Owners.some((owner) => owner === image.owner || (owner === 'self' && image.owner === caller.account))
  )
    return false;
  if (ExecutableUsers.length > 0) {
    const wanted = ExecutableUsers.map((user) => (user === 'self' ? caller.account : user));
    if (!wanted.some((user) => view.sharedWith.has(user))) return false;
  }
  if (view.isDisabled && !(IncludeDisabled && image.owner === caller.account)) return false;
  const isDeprecated = view.deprecatesAt !== undefined && view.deprecatesAt <= now;
  return !isDeprecated || IncludeDeprecated || image.owner === caller.account;
}

const unpaginated = new WeakMap<object, number>();

/** Every other list of everything at once is throttled, for it counts against a small bucket (EC2's guide on request throttling). */
function throttleUnpaginated({ input, cloud }: Describe): void {
  if (input.MaxResults !== undefined || (input.ImageIds ?? []).length > 0) return;
  const count = (unpaginated.get(cloud) ?? 0) + 1;
  unpaginated.set(cloud, count);
  if (count % 2 === 1 && cloud.world.lags !== 'none')
    throw new CloudError('RequestLimitExceeded', 'Request limit exceeded.', { status: 503 });
}

export function describeImages(call: Describe): object {
  const { input, region, cloud, now, caller } = call;
  const { ImageIds = [], Filters, MaxResults } = input;
  checkFilters(Filters, FILTERS);
  if (ImageIds.length > 0 && MaxResults !== undefined)
    throw refused('InvalidParameterCombination', 'The parameter imageIds cannot be used with the parameter maxResults');
  throttleUnpaginated(call);
  const see = (image: Image): Seen => ({ image, view: image.view.read(now, cloud.world.random()) });
  const fits = (seen: Seen): boolean => passes(Filters, filteredBy(seen, imageState(seen.image, now)));
  const wanted = (): string[] => {
    const named = ImageIds.map((id) => findImage(call, id)).filter((image) => image !== undefined);
    const listed = [...region.images.values()].filter((image) => maySee(image, caller) && isKnown(image, call));
    const isShown = (seen: Seen): boolean =>
      ImageIds.length > 0 ? !seen.view.isDisabled || input.IncludeDisabled === true : isListed(seen, call);
    const all = ImageIds.length > 0 ? named : listed;
    return all
      .map(see)
      .filter((seen) => isShown(seen) && fits(seen))
      .map(({ image }) => image.id);
  };
  const { ids, nextToken } = pageOfIds(call, wanted, [1, 1000]);
  const images = ids.map((id) => region.images.get(id)).filter((image) => image !== undefined);
  return { Images: images.map((image) => describe(see(image), call)), NextToken: nextToken };
}
