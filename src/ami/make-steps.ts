import { type AmiRecord, hasFailed } from '../aws/ec2-api.ts';
import { isRefused, NO_IMAGE, NO_SNAPSHOT } from '../aws/refusal.ts';
import { UserError } from '../core/error.ts';
import { amiDescription, amiTags, clientToken, registrationOf, TAGS } from './content.ts';
import type { Deployment } from './deployment.ts';
import type { StepEffect } from './journal.ts';
import { lookUntil, SETTLING, type Waiting, whilePassing } from './settle.ts';
import type { AmiPlace } from './survey.ts';

/** What a step works with. */
export interface StepContext {
  readonly deployment: Deployment;
  readonly place: AmiPlace;
  readonly signal: AbortSignal;
  /** Of a parameter its name, of what is removed its id. */
  readonly subject: string | undefined;
}

const waitingOf = ({ deployment, signal }: StepContext): Waiting => ({ clock: deployment.tools.clock, signal });

/** Uploads the disk, or goes on with an upload that another run has begun. */
export async function makeSnapshot(context: StepContext): Promise<StepEffect> {
  const { deployment, place, signal } = context;
  const { plan, tools } = deployment;
  const { disk, region, content, upload } = place;
  const token = upload?.tags.get(TAGS.token) ?? clientToken('snapshot', content, region, tools.run);
  const { snapshotId, encrypted } = await tools.upload({
    ...{ disk, region, content, signal },
    clientToken: token,
    description: amiDescription(plan.wanted, disk, content),
    tags: { ...amiTags(disk, content), [TAGS.token]: token },
    kmsKey: plan.wanted.kmsKeys[region],
  });
  deployment.setSnapshot(place, snapshotId);
  // The account's own setting may have changed since it was asked.
  if (encrypted && plan.wanted.sharing.public)
    throw new UserError('aws', `${snapshotId} in ${region} was encrypted unasked, so its AMI cannot be public`, {
      hint: 'Switch off encryption by default in that region.',
    });
  return { made: 'snapshot', id: snapshotId, isAdopted: upload?.id === snapshotId };
}

/** Waits until a snapshot is complete: RegisterImage takes no other. */
async function awaitSnapshot(context: StepContext, id: string): Promise<void> {
  const { deployment, place } = context;
  const ec2 = deployment.tools.cloud.ec2(place.region);
  const ended = await lookUntil(
    async () => {
      const [snapshot] = await ec2.snapshots({ ids: [id] });
      if (snapshot?.state === 'error')
        throw new UserError(
          'aws',
          `${id} in ${place.region} has failed: ${snapshot.reason ?? 'AWS does not say why'}`,
          {
            hint: 'Run again: the disk is uploaded again.',
          },
        );
      return snapshot?.state === 'completed' ? snapshot : undefined;
    },
    deployment.tools.patience,
    waitingOf(context),
  );
  if (ended === undefined) throw tooLong(context, id, 'complete');
}

function tooLong({ deployment, place }: StepContext, id: string, state: string): UserError {
  const minutes = Math.round(deployment.tools.patience / 60_000);
  return new UserError('aws', `${id} in ${place.region} is not ${state} after ${minutes} min`, {
    hint: 'Run again, with a longer time: what is there by then is used.',
  });
}

/** Registers the AMI. Its name is all that keeps it from being made twice: where an answer was lost, it is there already. */
export async function register(context: StepContext): Promise<StepEffect> {
  const { deployment, place } = context;
  const { plan, tools } = deployment;
  const { disk, region, content, name } = place;
  const ec2 = tools.cloud.ec2(region);
  const snapshotId = deployment.needSnapshot(place);
  await awaitSnapshot(context, snapshotId);
  try {
    const id = await ec2.registerImage({
      ...registrationOf(disk),
      ...{ name, snapshotId },
      description: amiDescription(plan.wanted, disk, content),
      tags: amiTags(disk, content),
    });
    deployment.setImage(place, id);
    return { made: 'image', id, isAdopted: false };
  } catch (error) {
    if (!isRefused(error, 'InvalidAMIName.Duplicate')) throw error;
    // It may not be visible yet.
    const twin = await lookUntil(async () => (await ec2.images({ names: [name] }))[0], SETTLING, waitingOf(context));
    if (twin === undefined || twin.tags.get(TAGS.content) !== content) throw error;
    deployment.setImage(place, twin.id);
    return { made: 'image', id: twin.id, isAdopted: false };
  }
}

/** Others' copies into the region count too, and this lasts as long as theirs. */
const isFull = (error: unknown): boolean => isRefused(error, 'ResourceLimitExceeded') && /copies/i.test(error.message);

/** Begins a copy; it is waited for by another step. */
export async function copyAmi(context: StepContext): Promise<StepEffect> {
  const { deployment, place, signal } = context;
  const { plan, tools } = deployment;
  const { disk, region, content, name } = place;
  const source = plan.places.find((other) => other.region === plan.home && other.disk === disk);
  const sourceId = source && deployment.imageOf(source);
  if (sourceId === undefined) throw new RangeError(`no AMI to copy to ${region}`);
  await deployment.beginCopy(place);
  try {
    signal.throwIfAborted();
    const id = await whilePassing(
      () =>
        tools.cloud.ec2(region).copyImage({
          ...{ name, sourceId },
          // One run repeats what it has sent; another one finds it by its tags, or has a source of another id.
          clientToken: clientToken('copy', content, region, sourceId, tools.run),
          description: amiDescription(plan.wanted, disk, content),
          sourceRegion: plan.home,
          kmsKey: plan.wanted.kmsKeys[region],
          minutes: plan.wanted.copyMinutes ?? undefined,
          tags: amiTags(disk, content),
        }),
      // What is available in its region may be unknown to another for a moment.
      (error) => isFull(error) || isRefused(error, 'InvalidAMIID.NotFound'),
      tools.patience,
      waitingOf(context),
    );
    deployment.setImage(place, id);
    return { made: 'image', id, isAdopted: false };
  } catch (error) {
    deployment.endCopy(place);
    throw error;
  }
}

/** Waits until the AMI is available and names its snapshots. One that has failed never will: that ends it at once, with AWS's reason. */
export async function awaitImage(context: StepContext): Promise<StepEffect> {
  const { deployment, place } = context;
  const { patience } = deployment.tools;
  const id = deployment.needImage(place);
  try {
    const ready = await deployment
      .watch(place)
      .until(id, (image) => readyImage(context, id, image), patience, waitingOf(context));
    if (ready === undefined) throw tooLong(context, id, 'available');
    const [snapshot] = ready.snapshots;
    if (snapshot !== undefined) deployment.setSnapshot(place, snapshot);
    return { made: 'image', id, isAdopted: place.found !== undefined };
  } finally {
    deployment.endCopy(place);
  }
}

function readyImage({ place }: StepContext, id: string, image: AmiRecord | undefined): AmiRecord | undefined {
  if (image !== undefined && (hasFailed(image) || image.state === 'deregistered'))
    throw new UserError(
      'aws',
      `${id} in ${place.region} is ${image.state}: ${image.reason ?? 'AWS does not say why'}`,
      {
        hint: 'Where a key is named, check that it is of that region and that the role may use it; else run again.',
      },
    );
  return image?.state === 'available' && image.snapshots.length > 0 ? image : undefined;
}

/** Removes an AMI that failed or is double, with those of its snapshots that no other AMI uses. */
export async function removeSurplus({ deployment, place, subject = '' }: StepContext): Promise<undefined> {
  const { cloud, log } = deployment.tools;
  const ec2 = cloud.ec2(place.region);
  const snapshots = place.surplus.find(({ id }) => id === subject)?.snapshots ?? [];
  try {
    await ec2.deregisterImage(subject);
  } catch (error) {
    if (!isRefused(error, ...NO_IMAGE)) throw error;
  }
  for (const id of snapshots) {
    if (id === place.snapshot?.id) continue;
    try {
      await ec2.deleteSnapshot(id);
    } catch (error) {
      if (isRefused(error, ...NO_SNAPSHOT)) continue;
      if (!isRefused(error, 'InvalidSnapshot.InUse')) throw error;
      // By another AMI, or for minutes after its own is gone (boto/boto3 3019): nothing to fail a deployment for.
      log.info(`${id} in ${place.region} is still in use and stays; prune removes it once no AMI is made of it`);
    }
  }
}
