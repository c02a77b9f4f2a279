import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { z } from 'zod';
import { UserError } from '../core/error.ts';
import { clientSettings } from './client-settings.ts';
import type { AwsIdentity, Cloud } from './cloud.ts';
import { callCloud } from './cloud-failure.ts';
import type { Ec2Api } from './ec2-api.ts';
import { openEc2 } from './ec2-client.ts';
import type { AwsWorld } from './ecr-api.ts';
import type { InstanceApi } from './instance-api.ts';
import { openInstances } from './instance-client.ts';
import type { LifecycleApi } from './lifecycle-api.ts';
import { openLifecycle } from './lifecycle-client.ts';
import type { SsmApi } from './ssm-api.ts';
import { openSsm } from './ssm-client.ts';

const identitySchema = z
  .object({ Account: z.string().regex(/^\d{12}$/), Arn: z.string() })
  .transform(({ Account, Arn }): AwsIdentity => ({ account: Account, arn: Arn }));

async function askIdentity(world: AwsWorld, region: string): Promise<AwsIdentity> {
  const client = new STSClient(clientSettings(world, 'STS', region));
  const what = 'cannot ask AWS who we are';
  const answer = await callCloud({ action: 'sts:GetCallerIdentity', what, region, signal: world.signal }, () =>
    client.send(new GetCallerIdentityCommand({})),
  );
  const result = identitySchema.safeParse(answer);
  if (result.success) return result.data;
  throw new UserError('aws', `the answer of STS is not valid: ${z.prettifyError(result.error)}`, {
    hint: 'Run again; if it comes back, check AWS_ENDPOINT_URL and proxies.',
  });
}

/** AWS as `world` says who we are, one client a region and service. Load it with `import()`: few commands need AWS's clients. */
export function openCloud(world: AwsWorld): Cloud {
  let now = world;
  const ec2 = new Map<string, Ec2Api>();
  const ssm = new Map<string, SsmApi>();
  const instances = new Map<string, InstanceApi>();
  const lifecycles = new Map<string, LifecycleApi>();
  return {
    ec2: (region) => {
      const api = ec2.get(region) ?? openEc2(now, region);
      ec2.set(region, api);
      return api;
    },
    ssm: (region) => {
      const api = ssm.get(region) ?? openSsm(now, region);
      ssm.set(region, api);
      return api;
    },
    instances: (region) => {
      const api = instances.get(region) ?? openInstances(now, region);
      instances.set(region, api);
      return api;
    },
    lifecycle: (region) => {
      const api = lifecycles.get(region) ?? openLifecycle(now, region);
      lifecycles.set(region, api);
      return api;
    },
    identity: (region) => askIdentity(now, region),
    renew: () => {
      // A signal that has fired would end what cleans up, too.
      now = { ...world, signal: new AbortController().signal };
      ec2.clear();
      ssm.clear();
      instances.clear();
      lifecycles.clear();
    },
  };
}
