import type { AmiRecord } from '../aws/ec2-api.ts';
import { isRefused } from '../aws/refusal.ts';
import { UserError } from '../core/error.ts';
import { TAGS } from './content.ts';
import { deprecationOf } from './deprecation.ts';
import type { StepEffect } from './journal.ts';
import type { StepContext } from './make-steps.ts';
import { lookUntil, SETTLING, type Waiting, whilePassing } from './settle.ts';
import { isShared, missingSharing, NOBODY, ofSnapshots } from './sharing.ts';
import type { StepKind } from './step.ts';

const waitingOf = ({ deployment, signal }: StepContext): Waiting => ({ clock: deployment.tools.clock, signal });

/** Reasons that an AMI which is available gets from a read that is older. */
const isStale = (error: unknown): boolean =>
  isRefused(error, 'InvalidAMIID.NotFound', 'InvalidAMIID.Unavailable', 'InvalidSnapshot.NotFound');

/** Does `change`, and looks until `isSo`. Throws UserError where it is not so in the end: AWS said yes and did not do it. */
async function changeAndLook(
  context: StepContext,
  what: string,
  change: () => Promise<unknown>,
  isSo: () => Promise<boolean>,
): Promise<void> {
  const waiting = waitingOf(context);
  await whilePassing(change, isStale, SETTLING, waiting);
  const seen = await whilePassing(
    () => lookUntil(async () => ((await isSo()) ? true : undefined), SETTLING, waiting),
    isStale,
    SETTLING,
    waiting,
  );
  if (!seen) throw notSo(context, what);
}

/** The same of what is seen of the AMI itself. */
async function changeAndSee(
  context: StepContext,
  what: string,
  change: () => Promise<unknown>,
  isSo: (image: AmiRecord) => boolean,
): Promise<void> {
  const { deployment, place } = context;
  const waiting = waitingOf(context);
  await whilePassing(change, isStale, SETTLING, waiting);
  const seen = await deployment
    .watch(place)
    .until(
      deployment.needImage(place),
      (image) => (image !== undefined && isSo(image) ? image : undefined),
      SETTLING,
      waiting,
    );
  if (!seen) throw notSo(context, what);
}

const notSo = (context: StepContext, what: string): UserError =>
  new UserError('aws', `AWS accepted ${what} in ${context.place.region}, and it is not so`, {
    hint: 'Run again; if it comes back, look for what changes it: a policy, an automation.',
  });

/** The snapshots of the AMI that a step is about, which are named once it is available. */
async function imageNow(context: StepContext) {
  const { deployment, place } = context;
  const id = deployment.needImage(place);
  const found = await deployment
    .watch(place)
    .until(
      id,
      (image) => (image?.state === 'available' && image.snapshots.length > 0 ? image : undefined),
      SETTLING,
      waitingOf(context),
    );
  if (found) return found;
  throw new UserError('aws', `${id} in ${place.region} is not available any more`, { hint: 'Run again.' });
}

/** What a step of these is about to change, so that it is in the journal before it is done; undefined where the AMI is new and goes whole. */
export function plannedChange(context: StepContext, kind: StepKind): StepEffect | undefined {
  const { deployment, place, subject: name = '' } = context;
  const { found } = place;
  const { sharing } = deployment.plan.wanted;
  if (kind === 'parameter')
    return {
      made: 'parameter',
      name,
      id: deployment.needImage(place),
      before: place.parameters.get(name)?.value ?? null,
    };
  if (found === undefined) return undefined;
  if (kind === 'launch-permission' && found.sharing)
    return { made: 'image-sharing', id: found.ami.id, added: missingSharing(sharing, found.sharing) };
  const [snapshot] = found.ami.snapshots;
  if (kind === 'snapshot-permission' && found.snapshotSharing && snapshot !== undefined)
    return {
      made: 'snapshot-sharing',
      id: snapshot,
      added: missingSharing(ofSnapshots(sharing), found.snapshotSharing),
    };
  return undefined;
}

export async function shareSnapshots(context: StepContext): Promise<undefined> {
  const { deployment, place } = context;
  const ec2 = deployment.tools.cloud.ec2(place.region);
  const wanted = ofSnapshots(deployment.plan.wanted.sharing);
  for (const id of (await imageNow(context)).snapshots)
    await changeAndLook(
      context,
      `the permission for ${id}`,
      () =>
        ec2.shareSnapshot(id, { add: missingSharing(wanted, place.found?.snapshotSharing ?? NOBODY), remove: NOBODY }),
      async () => !isShared(missingSharing(wanted, await ec2.snapshotSharing(id))),
    );
}

export async function shareImage(context: StepContext): Promise<undefined> {
  const { deployment, place } = context;
  const ec2 = deployment.tools.cloud.ec2(place.region);
  const id = deployment.needImage(place);
  const { sharing } = deployment.plan.wanted;
  await changeAndLook(
    context,
    `the launch permission for ${id}`,
    () => ec2.shareImage(id, { add: missingSharing(sharing, place.found?.sharing ?? NOBODY), remove: NOBODY }),
    async () => !isShared(missingSharing(sharing, await ec2.imageSharing(id))),
  );
}

export async function deprecate(context: StepContext): Promise<undefined> {
  const { deployment, place } = context;
  const { deprecateAfterDays } = deployment.plan.wanted;
  if (deprecateAfterDays === null) return;
  const ec2 = deployment.tools.cloud.ec2(place.region);
  const { id, created } = await imageNow(context);
  const at = deprecationOf(created ?? deployment.tools.clock.now(), deprecateAfterDays);
  await changeAndSee(
    context,
    `the deprecation of ${id}`,
    () => ec2.deprecateImage(id, at.time),
    ({ deprecated }) => at.isNear(deprecated),
  );
}

/** Moves a parameter. Its value is checked by AWS afterwards and dropped where it does not pass, so the version is waited for. */
export async function pointParameter(context: StepContext): Promise<undefined> {
  const { deployment, place, subject: name = '' } = context;
  const ssm = deployment.tools.cloud.ssm(place.region);
  const id = deployment.needImage(place);
  let version = 0;
  await changeAndLook(
    context,
    `${id} in ${name} (the role needs ec2:DescribeImages for it)`,
    async () => {
      version = await ssm.putImage(name, id);
    },
    async () => {
      const now = (await ssm.parameters([name])).get(name);
      return now !== undefined && now.version >= version && now.value === id;
    },
  );
}

/** Marks what is published by now: what has this tag is never taken back. */
export async function tagPublished(context: StepContext): Promise<undefined> {
  const { deployment, place } = context;
  const ec2 = deployment.tools.cloud.ec2(place.region);
  const id = deployment.needImage(place);
  await changeAndSee(
    context,
    `the tag of ${id}`,
    () => ec2.tag(id, { [TAGS.run]: deployment.tools.run }),
    ({ tags }) => tags.has(TAGS.run),
  );
}

export async function protect(context: StepContext): Promise<undefined> {
  const { deployment, place } = context;
  const ec2 = deployment.tools.cloud.ec2(place.region);
  const id = deployment.needImage(place);
  await changeAndSee(
    context,
    `the protection of ${id}`,
    () => ec2.protectImage(id, deployment.plan.wanted.protection === 'with-cooldown'),
    ({ isProtected }) => isProtected,
  );
}
