import { DisableImageCommand, EC2Client, paginateDescribeImageReferences } from '@aws-sdk/client-ec2';
import { z } from 'zod';
import { partsOf } from '../core/parts.ts';
import { clientSettings } from './client-settings.ts';
import { callCloud } from './cloud-failure.ts';
import type { AwsWorld } from './ecr-api.ts';
import type { AmiReference, LifecycleApi } from './lifecycle-api.ts';
import { readAnswer } from './read-answer.ts';

/** AMIs in one question of what uses them (EC2 API reference, DescribeImageReferences). */
const ASKED_AT_ONCE = 10;

/**
 * What uses AMIs. Of its own EC2 looks at ten versions of a launch template alone, and names instances that are terminated, too (EC2 API
 * reference, ResourceTypeOption).
 */
const USERS = [
  {
    ResourceType: 'ec2:Instance' as const,
    ResourceTypeOptions: [
      { OptionName: 'state-name' as const, OptionValues: ['pending', 'running', 'stopping', 'stopped'] },
    ],
  },
  {
    ResourceType: 'ec2:LaunchTemplate' as const,
    ResourceTypeOptions: [{ OptionName: 'version-depth' as const, OptionValues: ['10000'] }],
  },
  { ResourceType: 'ssm:Parameter' as const },
];

const referencesSchema = z
  .array(z.object({ ImageId: z.string(), ResourceType: z.string(), Arn: z.string().default('') }))
  .default([]);

/** EC2 in one region (API version 2016-11-15), by AWS's own client. */
export function openLifecycle(world: AwsWorld, region: string): LifecycleApi {
  const client = new EC2Client(clientSettings(world, 'EC2', region));
  const { signal } = world;
  const call = <T>(verb: string, what: string, work: () => Promise<T>): Promise<T> =>
    callCloud({ action: `ec2:${verb}`, what, region, signal }, work);
  return {
    references: (ids) =>
      call('DescribeImageReferences', 'cannot ask what uses AMIs', async () => {
        const found = new Map<string, AmiReference[]>();
        for (const ImageIds of partsOf(ids, ASKED_AT_ONCE)) {
          const input = { ImageIds, ResourceTypes: USERS };
          for await (const page of paginateDescribeImageReferences({ client }, input))
            for (const { ImageId: id, ResourceType: type, Arn: arn } of readAnswer(
              referencesSchema,
              page.ImageReferences,
              'the list of what uses AMIs',
            ))
              found.set(id, [...(found.get(id) ?? []), { type, arn }]);
        }
        return found;
      }),
    disable: async (ImageId) => {
      await call('DisableImage', `cannot disable ${ImageId}`, () => client.send(new DisableImageCommand({ ImageId })));
    },
  };
}
