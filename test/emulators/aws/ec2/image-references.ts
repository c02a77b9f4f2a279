import type { DescribeImageReferencesRequest } from '@aws-sdk/client-ec2';
import type { CloudCall } from '../cloud/cloud-call.ts';
import { instanceState } from './instances.ts';
import { refused } from './look-up.ts';

interface Reference {
  readonly ImageId: string;
  readonly ResourceType: string;
  readonly Arn: string;
}

/** Who uses images in the region: instances, launch templates, parameters of the type for images. */
export function describeImageReferences({
  input,
  region,
  caller,
  now,
}: CloudCall<DescribeImageReferencesRequest>): object {
  const { ImageIds = [], ResourceTypes = [], IncludeAllResourceTypes = false } = input;
  if (ImageIds.length === 0 || ImageIds.length > 10) throw refused('InvalidParameterValue', 'Specify 1 to 10 images.');
  if (IncludeAllResourceTypes === ResourceTypes.length > 0)
    throw refused('InvalidParameterCombination', 'Specify either resource types or all of them.');
  const arn = (service: string, resource: string): string =>
    `arn:${region.partition}:${service}:${region.name}:${caller.account}:${resource}`;
  const instances: Reference[] = [...region.instances.values()]
    .filter((one) => one.owner === caller.account && instanceState(one, now) !== 'terminated')
    .map((one) => ({ ImageId: one.imageId, ResourceType: 'ec2:Instance', Arn: arn('ec2', `instance/${one.id}`) }));
  const templates: Reference[] = [...region.launchTemplates].map(([Arn, ImageId]) => ({
    ImageId,
    ResourceType: 'ec2:LaunchTemplate',
    Arn,
  }));
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
