import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { z } from 'zod';
import { clientSettings } from './client-settings.ts';
import type { AwsIdentity, Cloud } from './cloud.ts';
import { callCloud } from './cloud-failure.ts';
import { openEc2 } from './ec2-client.ts';
import type { AwsWorld } from './ecr-api.ts';
import { openInstances } from './instance-client.ts';
import { openLifecycle } from './lifecycle-client.ts';
import { readAnswer } from './read-answer.ts';
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
  return readAnswer(identitySchema, answer, 'the answer of STS');
}

/** One client a region, opened when it is first asked for. */
function onePerRegion<T>(open: (region: string) => T) {
  const opened = new Map<string, T>();
  const get = (region: string): T => {
    const api = opened.get(region) ?? open(region);
    opened.set(region, api);
    return api;
  };
  return { get, clear: () => opened.clear() };
}

/** AWS as `world` says who we are, one client a region and service. Load it with `import()`: few commands need AWS's clients. */
export function openCloud(world: AwsWorld): Cloud {
  let now = world;
  const ec2 = onePerRegion((region) => openEc2(now, region));
  const ssm = onePerRegion((region) => openSsm(now, region));
  const instances = onePerRegion((region) => openInstances(now, region));
  const lifecycles = onePerRegion((region) => openLifecycle(now, region));
  return {
    ec2: ec2.get,
    ssm: ssm.get,
    instances: instances.get,
    lifecycle: lifecycles.get,
    identity: (region) => askIdentity(now, region),
    renew: () => {
      // A signal that has fired would end what cleans up, too.
      now = { ...world, signal: new AbortController().signal };
      for (const clients of [ec2, ssm, instances, lifecycles]) clients.clear();
    },
  };
}
