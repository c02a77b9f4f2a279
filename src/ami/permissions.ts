import type { Cloud } from '../aws/cloud.ts';
import type { PermissionProbe, ProbedAction, ProbedAmi } from '../aws/permission-probe.ts';
import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import { SYSTEMS } from '../oci/system.ts';
import { TAGS } from './content.ts';
import type { AmiPlan } from './plan.ts';
import { smokeInstance } from './smoke-test.ts';
import type { StepKind } from './step.ts';
import { REGIONS_AT_ONCE } from './survey.ts';
import { amisOf } from './tagged.ts';

/** What each kind of step asks of EC2 that changes something; taking it back included. */
const ACTIONS: Readonly<Partial<Record<StepKind, readonly ProbedAction[]>>> = {
  remove: ['DeregisterImage', 'DeleteSnapshot'],
  snapshot: ['DeleteSnapshot'],
  register: ['RegisterImage', 'DeregisterImage', 'DeleteSnapshot'],
  copy: ['CopyImage', 'DeregisterImage', 'DeleteSnapshot'],
  'launch-permission': ['ModifyImageAttribute'],
  'snapshot-permission': ['ModifySnapshotAttribute'],
  deprecate: ['EnableImageDeprecation'],
  'smoke-test': ['RunInstances'],
  tag: ['CreateTags'],
  protect: ['EnableImageDeregistrationProtection'],
};

/**
 * Asks EC2 whether it would allow what a plan needs: in its first region everything, in the others the copies, for policies differ by region rarely. Nothing is
 * asked for an empty plan. Throws UserError `credentials` with the IAM statement that is missing.
 */
export async function checkPermissions(
  plan: AmiPlan,
  cloud: Cloud,
  probe: PermissionProbe,
  subnet: string | undefined,
): Promise<void> {
  const required = plan.steps.filter(({ mayFail }) => !mayFail);
  const byRegion = [...Map.groupBy(required, ({ region }) => region)];
  if (byRegion.length === 0) return;
  const ami = await knownAmi(plan, cloud, subnet);
  const denied = await mapParallel(byRegion, REGIONS_AT_ONCE, async ([region, steps]) => {
    const isHome = region === plan.home;
    const all = new Set(steps.flatMap(({ kind }) => ACTIONS[kind] ?? []));
    const actions = [...all].filter((action) => isHome || action === 'CopyImage');
    return await probe.denied(region, actions, isHome ? ami : undefined);
  });
  const missing = [...new Set([...denied.flat(), ...(await deniedParameters(plan, probe))])].sort();
  if (missing.length === 0) return;
  const statement = { Effect: 'Allow', Action: missing, Resource: '*' };
  throw new UserError('credentials', `cannot deploy, and nothing was made: not allowed are ${missing.join(', ')}`, {
    hint: `Add this statement to the policy of the role or user: ${JSON.stringify(statement)}`,
    docs: 'aws-iam.md#the-policy',
  });
}

/** One of the parameters that are to move is enough: policies name them by their path. */
async function deniedParameters({ places, steps, home }: AmiPlan, probe: PermissionProbe): Promise<readonly string[]> {
  const moving = steps.filter(({ kind, region }) => kind === 'parameter' && region === home);
  for (const { subject = '' } of moving) {
    const found = places.find((place) => place.region === home && place.parameters.get(subject) !== undefined);
    const value = found?.parameters.get(subject)?.value;
    if (value !== undefined) return (await probe.mayStore(home, subject, value)) ? [] : ['ssm:PutParameter'];
  }
  return [];
}

/** An AMI of one of the images, in the first region: an earlier version will do. `subnet`: that of smoke tests. */
async function knownAmi(
  { places, home, wanted }: AmiPlan,
  cloud: Cloud,
  subnet: string | undefined,
): Promise<ProbedAmi | undefined> {
  const found = places.find(({ region, found: one }) => region === home && one)?.found?.ami;
  const images = wanted.disks.map(({ image }) => image);
  const candidates = found ? [found] : await amisOf(cloud.ec2(home), images);
  const ami = candidates.find(({ state, snapshots }) => state === 'available' && snapshots.length > 0);
  if (ami === undefined) return undefined;
  const system = SYSTEMS.find((one) => one === ami.tags.get(TAGS.system)) ?? SYSTEMS[0];
  const launch = { subnet, until: ami.created ?? 0, token: `permission probe ${ami.id}` };
  const instance = smokeInstance({ imageId: ami.id, system }, launch);
  return { imageId: ami.id, snapshotId: ami.snapshots[0] ?? '', instance };
}
