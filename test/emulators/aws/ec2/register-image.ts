import type { BlockDeviceMapping, RegisterImageRequest } from '@aws-sdk/client-ec2';
import type { CloudCall } from '../cloud/cloud-call.ts';
import { Settling } from '../cloud/settling.ts';
import { stateAt } from '../ebs/snapshot.ts';
import type { Image } from './image.ts';
import { refused, usableSnapshot } from './look-up.ts';
import { tagsFor } from './tag-specification.ts';

/** How long it may be that reads do not find what was made (hashicorp/packer 3377). */
const LONGEST_UNKNOWN = 150_000;

const NAME = /^[A-Za-z0-9()[\] ./\-'@_]{3,128}$/;

/** Refuses names that EC2 does not take, and those of the account's other images, failed copies too. */
export function checkName({ region, caller }: CloudCall<unknown>, name = ''): void {
  if (!NAME.test(name)) {
    throw refused(
      'InvalidAMIName.Malformed',
      `AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' and '_'`,
    );
  }
  const other = [...region.images.values()].find(
    (image) => image.name === name && image.owner === caller.account && !image.gone,
  );
  if (other) throw refused('InvalidAMIName.Duplicate', `AMI name ${name} is already in use by AMI ${other.id}`);
}

type Fixed = Omit<
  Image,
  'id' | 'owner' | 'createdAt' | 'knownFrom' | 'view' | 'protection' | 'cooldownUntil' | 'lastLaunched' | 'gone'
>;

/** Adds an image to the caller's; it is private, and may be read late. */
export function addImage(
  { cloud, caller, now, region }: CloudCall<unknown>,
  fixed: Fixed,
  { description, tags }: { readonly description: string; readonly tags: ReadonlyMap<string, string> },
): Image {
  const image: Image = {
    ...fixed,
    id: cloud.id('ami'),
    owner: caller.account,
    createdAt: now,
    knownFrom: now + cloud.lag(LONGEST_UNKNOWN),
    view: new Settling({ description, deprecatesAt: undefined, tags, sharedWith: new Set(), isDisabled: false }),
    protection: 'disabled',
    cooldownUntil: 0,
    lastLaunched: undefined,
    gone: undefined,
  };
  region.images.set(image.id, image);
  return image;
}

type Register = CloudCall<RegisterImageRequest>;

function checkMapping(call: Register, { DeviceName, Ebs, NoDevice }: BlockDeviceMapping): BlockDeviceMapping {
  if (DeviceName === undefined) throw refused('MissingParameter', 'The request must contain the parameter deviceName');
  if (Ebs === undefined || NoDevice !== undefined) return { DeviceName, NoDevice };
  const { SnapshotId, VolumeSize, VolumeType = 'gp2', DeleteOnTermination = true, Encrypted, KmsKeyId } = Ebs;
  const wrong = (message: string) => refused('InvalidBlockDeviceMapping', message);
  if (SnapshotId === undefined) {
    if (VolumeSize === undefined) throw wrong('The size of a volume without a snapshot is missing.');
    return { DeviceName, Ebs: { VolumeSize, VolumeType, DeleteOnTermination, Encrypted: Encrypted ?? false } };
  }
  if (Encrypted !== undefined || KmsKeyId !== undefined)
    throw wrong('The encryption of a snapshot cannot be changed here: Encrypted is for volumes without a snapshot.');
  const snapshot = usableSnapshot(call, SnapshotId);
  // No document says how this is refused.
  if (stateAt(snapshot, call.now) !== 'completed')
    throw refused('IncorrectState', `The snapshot '${SnapshotId}' is not in the completed state.`);
  if (VolumeSize !== undefined && VolumeSize < snapshot.volumeSize)
    throw wrong(
      `Volume of size ${VolumeSize}GB is smaller than snapshot '${SnapshotId}', expect size>= ${snapshot.volumeSize}GB`,
    );
  const { Iops, Throughput } = Ebs;
  if (Throughput !== undefined && VolumeType !== 'gp3')
    throw refused(
      'InvalidParameterCombination',
      `The parameter throughput is not supported for ${VolumeType} volumes.`,
    );
  return {
    DeviceName,
    Ebs: {
      SnapshotId,
      VolumeSize: VolumeSize ?? snapshot.volumeSize,
      VolumeType,
      DeleteOnTermination,
      Encrypted: snapshot.kmsKey !== undefined,
      Iops,
      Throughput,
    },
  };
}

/** Refuses combinations that cannot start, which the service partly finds out later. */
function checkBoot({
  BootMode,
  TpmSupport,
  UefiData,
  Architecture = 'i386',
  VirtualizationType = 'paravirtual',
}: RegisterImageRequest): void {
  const wrong = (message: string) => refused('InvalidParameterCombination', message);
  // Reported of uefi-preferred in flatcar/mantle 582; the text was not.
  if (TpmSupport !== undefined && BootMode !== 'uefi')
    throw wrong('The TpmSupport parameter requires the uefi boot mode.');
  if (UefiData !== undefined && BootMode === 'legacy-bios') throw wrong('UefiData requires the boot mode uefi.');
  if (Architecture === 'arm64' && ![undefined, 'uefi'].includes(BootMode))
    throw wrong(`The architecture arm64 does not support the boot mode ${BootMode}.`);
  if (Architecture === 'arm64' && VirtualizationType !== 'hvm')
    throw wrong(`The architecture arm64 does not support the virtualization type ${VirtualizationType}.`);
  if (BootMode !== undefined && VirtualizationType !== 'hvm')
    throw wrong('A boot mode requires the virtualization type hvm.');
}

/** What is not said is as in 2008: i386, paravirtual, without ENA. */
export function registerImage(call: Register): object {
  const { input, cloud, now } = call;
  const { RootDeviceName = '/dev/sda1', BlockDeviceMappings = [], ImageLocation } = input;
  checkName(call, input.Name);
  const { image: tags } = tagsFor(input.TagSpecifications, ['image']);
  if (ImageLocation !== undefined) throw refused('InvalidParameterCombination', 'Images in S3 are not emulated.');
  if (!['hvm', 'paravirtual', undefined].includes(input.VirtualizationType))
    throw refused('InvalidParameterValue', `Invalid value '${input.VirtualizationType}' for virtualizationType`);
  if (!['simple', undefined].includes(input.SriovNetSupport))
    throw refused('InvalidParameterValue', `Invalid value '${input.SriovNetSupport}' for sriovNetSupport`);
  const names = BlockDeviceMappings.map(({ DeviceName }) => DeviceName);
  if (new Set(names).size < names.length) throw refused('InvalidBlockDeviceMapping', 'A device is given twice.');
  checkBoot(input);
  const mappings = BlockDeviceMappings.map((mapping) => checkMapping(call, mapping));
  if (!mappings.some(({ DeviceName, Ebs }) => DeviceName === RootDeviceName && Ebs?.SnapshotId !== undefined))
    throw refused('InvalidBlockDeviceMapping', 'No root snapshot specified in device mapping.');
  const image = addImage(
    call,
    {
      name: input.Name ?? '',
      architecture: input.Architecture ?? 'i386',
      virtualization: input.VirtualizationType ?? 'paravirtual',
      enaSupport: input.EnaSupport ?? false,
      sriovNetSupport: input.SriovNetSupport,
      bootMode: input.BootMode,
      tpmSupport: input.TpmSupport,
      imdsSupport: input.ImdsSupport,
      uefiData: input.UefiData,
      rootDevice: RootDeviceName,
      mappings,
      source: undefined,
      readyAt: now + cloud.lag(30_000),
      failure: undefined,
    },
    { description: input.Description ?? '', tags },
  );
  return { ImageId: image.id };
}
