import type {
  DeregisterImageRequest,
  DisableImageDeregistrationProtectionRequest,
  DisableImageRequest,
  EnableImageDeregistrationProtectionRequest,
  EnableImageRequest,
} from '@aws-sdk/client-ec2';
import type { CloudCall } from '../cloud/cloud-call.ts';
import { changeView } from './change-view.ts';
import { type Image, imageState } from './image.ts';
import { availableImage, ownImage, refused } from './look-up.ts';
import { isInUse } from './snapshots.ts';

const DAY = 24 * 60 * 60 * 1000;
const MINUTE = 60_000;

export function enableProtection(call: CloudCall<EnableImageDeregistrationProtectionRequest>): object {
  const image = availableImage(call, call.input.ImageId);
  image.protection = call.input.WithCooldown ? 'enabled-with-cooldown' : 'enabled';
  return { Return: 'true' };
}

/** With a cooldown the image stays for a day more. */
export function disableProtection(call: CloudCall<DisableImageDeregistrationProtectionRequest>): object {
  const image = availableImage(call, call.input.ImageId);
  if (image.protection === 'enabled-with-cooldown') image.cooldownUntil = call.now + DAY;
  image.protection = 'disabled';
  return { Return: 'true' };
}

/** Nobody else may use it any more, also once it is enabled again. */
export function disableImage(call: CloudCall<DisableImageRequest>): object {
  const image = availableImage(call, call.input.ImageId);
  changeView(call, image, { isDisabled: true, sharedWith: new Set() });
  return { Return: true };
}

export function enableImage(call: CloudCall<EnableImageRequest>): object {
  const image = ownImage(call, call.input.ImageId);
  if (imageState(image, call.now) !== 'disabled')
    throw refused('InvalidAMIID.Unavailable', `The image ID '${image.id}' is not disabled`);
  changeView(call, image, { isDisabled: false });
  return { Return: true };
}

type Deleted = 'success' | 'skipped' | 'missing-permissions';

function deleteWith(call: CloudCall<unknown>, id: string): Deleted {
  const { region, caller } = call;
  const snapshot = region.snapshots.get(id);
  if (caller.denied.has('ec2:DeleteSnapshot')) return 'missing-permissions';
  if (snapshot === undefined || snapshot.owner !== caller.account) return 'skipped';
  if (snapshot.sharedWith.size > 0 || isInUse(call, id)) return 'skipped';
  region.snapshots.delete(id);
  return 'success';
}

const snapshotsUnder = ({ mappings }: Image): string[] =>
  mappings.map(({ Ebs }) => Ebs?.SnapshotId).filter((id) => id !== undefined);

/** What is pending can be deregistered too, which ends a copy; its snapshot stays. */
export function deregisterImage(call: CloudCall<DeregisterImageRequest>): object {
  const { input, cloud, now, region } = call;
  const image = ownImage(call, input.ImageId);
  if (image.protection !== 'disabled' || now < image.cooldownUntil)
    throw refused('OperationNotPermitted', `The image ${image.id} is protected from deregistration.`);
  const hiddenFrom = now + cloud.lag(MINUTE);
  image.gone = { at: now, hiddenFrom, unknownFrom: hiddenFrom + cloud.lag(60 * MINUTE) };
  const snapshots = snapshotsUnder(image);
  if (input.DeleteAssociatedSnapshots) {
    const DeleteSnapshotResults = snapshots.map((SnapshotId) => ({
      SnapshotId,
      ReturnCode: deleteWith(call, SnapshotId),
    }));
    return { Return: true, DeleteSnapshotResults };
  }
  for (const id of snapshots) {
    const snapshot = region.snapshots.get(id);
    // One in five is in use for some minutes more (boto/boto3 3019).
    if (snapshot && cloud.world.random() < 0.2) snapshot.heldUntil = now + cloud.lag(5 * MINUTE);
  }
  return { Return: true };
}
