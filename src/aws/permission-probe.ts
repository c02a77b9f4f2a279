import {
  CopyImageCommand,
  CreateTagsCommand,
  DeleteSnapshotCommand,
  DeregisterImageCommand,
  EC2Client,
  EnableImageDeprecationCommand,
  EnableImageDeregistrationProtectionCommand,
  ModifyImageAttributeCommand,
  ModifySnapshotAttributeCommand,
  RegisterImageCommand,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import type { Clock } from '../core/retry.ts';
import { clientSettings } from './client-settings.ts';
import { callCloud } from './cloud-failure.ts';
import type { AwsWorld } from './ecr-api.ts';
import type { InstanceStart } from './instance-api.ts';
import { launchInput } from './instance-client.ts';
import { isRefused } from './refusal.ts';

/** An AMI of ours and its snapshot, on which is tried what policies may tie to tags. */
export interface ProbedAmi {
  readonly imageId: string;
  readonly snapshotId: string;
  /** An instance of it, as a smoke test would start one. */
  readonly instance?: InstanceStart;
}

/** What EC2 is asked by dry runs. */
export type ProbedAction = keyof typeof TRIALS;

/** Ids of nothing, in the form that EC2 takes. */
const NOTHING: ProbedAmi = { imageId: 'ami-0123456789abcdef0', snapshotId: 'snap-0123456789abcdef0' };

const NAME = 'nix-images permission probe';

/** A name of a tag that is ours, and no value of one: nothing is changed by a dry run. */
const TAG = { Key: 'nix-images:image', Value: 'probe' };

interface Where {
  readonly region: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

type Trial = (client: EC2Client, ami: ProbedAmi, where: Where) => Promise<unknown>;

const DryRun = true;

/** Each action as a request that changes nothing (EC2 API reference, DryRun). */
const TRIALS = {
  RegisterImage: (client, { snapshotId }) =>
    client.send(
      new RegisterImageCommand({
        DryRun,
        Name: NAME,
        Architecture: 'x86_64',
        VirtualizationType: 'hvm',
        RootDeviceName: '/dev/xvda',
        BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { SnapshotId: snapshotId } }],
      }),
    ),
  CopyImage: (client, { imageId }, { region }) =>
    client.send(new CopyImageCommand({ DryRun, Name: NAME, SourceImageId: imageId, SourceRegion: region })),
  CreateTags: (client, { imageId }) =>
    client.send(new CreateTagsCommand({ DryRun, Resources: [imageId], Tags: [TAG] })),
  ModifyImageAttribute: (client, { imageId }) =>
    client.send(
      new ModifyImageAttributeCommand({ DryRun, ImageId: imageId, LaunchPermission: { Add: [{ Group: 'all' }] } }),
    ),
  ModifySnapshotAttribute: (client, { snapshotId }) =>
    client.send(
      new ModifySnapshotAttributeCommand({
        DryRun,
        SnapshotId: snapshotId,
        CreateVolumePermission: { Add: [{ Group: 'all' }] },
      }),
    ),
  EnableImageDeprecation: (client, { imageId }, { now }) =>
    client.send(new EnableImageDeprecationCommand({ DryRun, ImageId: imageId, DeprecateAt: new Date(now + YEAR) })),
  EnableImageDeregistrationProtection: (client, { imageId }) =>
    client.send(new EnableImageDeregistrationProtectionCommand({ DryRun, ImageId: imageId })),
  RunInstances: async (client, { instance }) => {
    if (instance !== undefined) await client.send(new RunInstancesCommand({ ...launchInput(instance), DryRun }));
  },
  DeregisterImage: (client, { imageId }) => client.send(new DeregisterImageCommand({ DryRun, ImageId: imageId })),
  DeleteSnapshot: (client, { snapshotId }) =>
    client.send(new DeleteSnapshotCommand({ DryRun, SnapshotId: snapshotId })),
} satisfies Record<string, Trial>;

/** What is not allowed of a request that needs several permissions, as tags at a launch do. */
const deniedAction = ({ message }: Error): string | undefined => /to perform: (ec2:\w+)/.exec(message)?.[1];

/** Milliseconds. */
const YEAR = 365 * 86_400_000;

/** Actions that no policy ties to the tags of what is there already. */
const ALWAYS: readonly ProbedAction[] = ['RegisterImage', 'CopyImage'];

/** Tells which actions EC2 does not allow. */
export interface PermissionProbe {
  /**
   * Those of `actions` that are not allowed in a region, as IAM names them. What is done to AMIs that are there is tried on `ami`; without one it is not
   * known, for a policy that asks for tags would refuse it on nothing.
   */
  denied(region: string, actions: readonly ProbedAction[], ami: ProbedAmi | undefined): Promise<readonly string[]>;
  /** Whether a parameter that is there, with this AMI as its value, may be stored. */
  mayStore(region: string, name: string, imageId: string): Promise<boolean>;
}

/** Asks EC2 by dry runs, and Systems Manager, which has none, to make what is there. Load it with `import()`: few commands need AWS's clients. */
export const openPermissionProbe = (world: AwsWorld, clock: Pick<Clock, 'now'>): PermissionProbe => ({
  denied: async (region, actions, ami) => {
    const client = new EC2Client(clientSettings(world, 'EC2', region));
    const tried = actions.filter((action) => ami !== undefined || ALWAYS.includes(action));
    const found = await Promise.all(
      tried.map(async (action) => {
        const call = { action: `ec2:${action}`, what: `cannot try ${action}`, region, signal: world.signal };
        try {
          await callCloud<unknown>(call, () => TRIALS[action](client, ami ?? NOTHING, { region, now: clock.now() }));
        } catch (error) {
          if (isRefused(error, 'UnauthorizedOperation')) return [deniedAction(error) ?? call.action];
          // It is allowed (DryRunOperation), or something else is wrong, which the step itself tells.
          if (world.signal.aborted) throw error;
        }
        return [];
      }),
    );
    return found.flat();
  },
  mayStore: async (region, Name, Value) => {
    const client = new SSMClient(clientSettings(world, 'SSM', region));
    const what = `cannot try to store ${Name}`;
    // Not to be overwritten, and what it is already: if it has gone meanwhile, it is back.
    const input = { Name, Value, Type: 'String', DataType: 'aws:ec2:image', Overwrite: false } as const;
    try {
      await callCloud({ action: 'ssm:PutParameter', what, region, signal: world.signal }, () =>
        client.send(new PutParameterCommand(input)),
      );
    } catch (error) {
      if (isRefused(error, 'AccessDeniedException')) return false;
      if (world.signal.aborted) throw error;
    }
    return true;
  },
});
