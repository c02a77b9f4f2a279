import type { DescribeImageReferencesRequest } from '@aws-sdk/client-ec2';
import type { CloudCall } from '../cloud/cloud-call.ts';
import { instanceState } from './instances.ts';
import { refused } from './look-up.ts';

interface Reference {
  readonly ImageId: string;
  readonly ResourceType: string;
  readonly Arn: string;
}

/** Versions of a launch template that are looked at where nothing else is said ("Identify your resources referencing specified AMIs"). */
const DEPTH = '10';

type Wanted = NonNullable<DescribeImageReferencesRequest['ResourceTypes']>;

const optionOf = (types: Wanted, type: string, option: string): readonly string[] | undefined =>
  types
    .find(({ ResourceType }) => ResourceType === type)
    ?.ResourceTypeOptions?.find(({ OptionName }) => OptionName === option)?.OptionValues;

/**
 * Who uses images in the region: instances, launch templates, parameters of the type for images. Without options instances that are terminated count too, and ten versions
 * of launch templates alone.
 */
export function describeImageReferences({
  input,
  region,
  caller,
  now,
}: CloudCall<DescribeImageReferencesRequest>): object {
  const { ImageIds = [], ResourceTypes = [], IncludeAllResourceTypes = false } = input;
  if (ImageIds.length === 0 || ImageIds.length > 10) throw refused('InvalidParameterValue', 'Specify 1 to 10 images.');
  if (!IncludeAllResourceTypes && ResourceTypes.length === 0)
    throw refused('InvalidParameterCombination', 'Specify either resource types or all of them.');
  const unknown = ImageIds.find((id) => !region.images.has(id));
  if (unknown !== undefined) throw refused('InvalidAMIID.NotFound', `The image id '[${unknown}]' does not exist`);
  const arn = (service: string, resource: string): string =>
    `arn:${region.partition}:${service}:${region.name}:${caller.account}:${resource}`;
  const states = optionOf(ResourceTypes, 'ec2:Instance', 'state-name');
  const depth = Number(optionOf(ResourceTypes, 'ec2:LaunchTemplate', 'version-depth')?.[0] ?? DEPTH);
  if (!(depth >= 1 && depth <= 10_000)) throw refused('InvalidParameterValue', `version-depth ${depth}`);
  const instances: Reference[] = [...region.instances.values()]
    .filter((one) => one.owner === caller.account && (states?.includes(instanceState(one, now)) ?? true))
    .map((one) => ({ ImageId: one.imageId, ResourceType: 'ec2:Instance', Arn: arn('ec2', `instance/${one.id}`) }));
  const templates: Reference[] = [...region.launchTemplates].flatMap(([Arn, images]) =>
    [...new Set([images].flat().slice(0, depth))].map((ImageId) => ({
      ...{ ImageId, ResourceType: 'ec2:LaunchTemplate', Arn },
    })),
  );
  const parameters: Reference[] = [...region.parameters.values()]
    .filter(({ owner, dataType }) => owner === caller.account && dataType === 'aws:ec2:image')
    .map(({ name, versions }) => ({
      ImageId: versions.value.at(-1)?.value ?? '',
      ResourceType: 'ssm:Parameter',
      Arn: arn('ssm', `parameter/${name.replace(/^\//, '')}`),
    }));
  const wanted = new Set(ResourceTypes.map(({ ResourceType }) => ResourceType as string));
  const found = [...instances, ...templates, ...parameters].filter(
    ({ ImageId, ResourceType }) => ImageIds.includes(ImageId) && (IncludeAllResourceTypes || wanted.has(ResourceType)),
  );
  return { ImageReferences: found };
}
