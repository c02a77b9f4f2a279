import { EBSClient } from '@aws-sdk/client-ebs';
import { onTestFinished } from 'vitest';
import { CloudClock } from '../../../emulators/aws/cloud/cloud-clock.ts';
import { type Cloud, type CloudOptions, startCloud } from '../../../emulators/aws/cloud/emulator.ts';
import type { Identity } from '../../../emulators/aws/cloud/identities.ts';

export interface CloudKit {
  readonly cloud: Cloud;
  readonly clock: CloudClock;
  /** Settings of one of AWS's clients: a region, one try, keys of the administrator unless others are given. */
  settings(region?: string, identity?: Identity): ClientSettings;
  ebs(region?: string, identity?: Identity): EBSClient;
}

interface ClientSettings {
  readonly region: string;
  readonly endpoint: string;
  readonly maxAttempts: number;
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
}

/** An emulated cloud on a clock of the test's own, which ends with the test. */
export async function startCloudKit(options: CloudOptions = {}): Promise<CloudKit> {
  const clock = new CloudClock();
  const cloud = await startCloud({ now: () => clock.now(), lags: 'none', ...options });
  onTestFinished(() => cloud.stop());
  const settings = (region = 'us-east-1', { accessKey, secret, token }: Identity = cloud.admin): ClientSettings => ({
    region,
    endpoint: cloud.url,
    maxAttempts: 1,
    credentials: {
      accessKeyId: accessKey,
      secretAccessKey: secret,
      ...(token === undefined ? {} : { sessionToken: token }),
    },
  });
  return { cloud, clock, settings, ebs: (region, identity) => new EBSClient(settings(region, identity)) };
}
