import { EBSClient } from '@aws-sdk/client-ebs';
import { EC2Client, RegisterImageCommand, type RegisterImageCommandInput } from '@aws-sdk/client-ec2';
import { SSMClient } from '@aws-sdk/client-ssm';
import { onTestFinished } from 'vitest';
import { CloudClock } from '../../../emulators/aws/cloud/cloud-clock.ts';
import { type Cloud, type CloudOptions, startCloud } from '../../../emulators/aws/cloud/emulator.ts';
import type { Identity } from '../../../emulators/aws/cloud/identities.ts';
import type { Snapshot } from '../../../emulators/aws/ebs/snapshot.ts';

export interface CloudKit {
  readonly cloud: Cloud;
  readonly clock: CloudClock;
  /** Settings of one of AWS's clients: a region, one try, keys of the administrator unless others are given. */
  settings(region?: string, identity?: Identity): ClientSettings;
  ebs(region?: string, identity?: Identity): EBSClient;
  ec2(region?: string, identity?: Identity): EC2Client;
  ssm(region?: string, identity?: Identity): SSMClient;
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
  return {
    cloud,
    clock,
    settings,
    ebs: (region, identity) => new EBSClient(settings(region, identity)),
    ec2: (region, identity) => new EC2Client(settings(region, identity)),
    ssm: (region, identity) => new SSMClient(settings(region, identity)),
  };
}

/** A completed snapshot of the account's, without its upload. */
export function addSnapshot({ cloud, clock }: CloudKit, region = 'us-east-1', more: Partial<Snapshot> = {}): Snapshot {
  const snapshot: Snapshot = {
    id: cloud.state.id('snap'),
    owner: cloud.admin.account,
    volumeSize: 2,
    description: '',
    tags: new Map(),
    startedAt: clock.now(),
    kmsKey: undefined,
    parent: undefined,
    blocks: new Map(),
    sharedWith: new Set(),
    origin: 'direct',
    timeout: 3_600_000,
    lastWrite: clock.now(),
    state: 'completed',
    readLag: 0,
    blockLag: () => 0,
    heldUntil: 0,
    ...more,
  };
  cloud.state.region(region).snapshots.set(snapshot.id, snapshot);
  return snapshot;
}

/** `NAME REASON STATUS` of the error that a call to AWS's client ends with; empty for one that is answered. */
export async function refusalOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown) => thrown,
  );
  return [error?.name, error?.Reason, error?.$metadata?.httpStatusCode].filter(Boolean).join(' ');
}

/** An image of the account's that can be used everywhere, of a snapshot of its own. */
export async function addImage(
  kit: CloudKit,
  more: Partial<RegisterImageCommandInput> = {},
  region = 'us-east-1',
): Promise<string> {
  const { id: SnapshotId } = addSnapshot(kit, region);
  const answer = await kit.ec2(region).send(
    new RegisterImageCommand({
      Name: `image of ${SnapshotId}`,
      Architecture: 'arm64',
      VirtualizationType: 'hvm',
      EnaSupport: true,
      RootDeviceName: '/dev/xvda',
      BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { SnapshotId } }],
      ...more,
    }),
  );
  return answer.ImageId ?? '';
}
