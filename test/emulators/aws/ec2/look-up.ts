import type { CloudCall } from '../cloud/cloud-call.ts';
import { CloudError } from '../cloud/cloud-error.ts';
import type { Identity } from '../cloud/identities.ts';
import type { Snapshot } from '../ebs/snapshot.ts';
import { type Image, imageState } from './image.ts';

/** An error of EC2's; nearly all have the status 400. */
export const refused = (code: string, message: string): CloudError => new CloudError(code, message);

const unknownImage = (id: string): CloudError =>
  refused('InvalidAMIID.NotFound', `The image id '[${id}]' does not exist`);

/** Whether an image is the caller's, public, or shared with the caller. */
export function maySee({ owner, view: { value } }: Image, { account, organization }: Identity): boolean {
  return owner === account || [account, 'all', organization ?? ''].some((who) => value.sharedWith.has(who));
}

/** Whether a read finds an image that was made a moment ago: some do, some do not. */
export const isKnown = ({ knownFrom }: Image, { now, cloud }: Pick<CloudCall<unknown>, 'now' | 'cloud'>): boolean =>
  now >= knownFrom || cloud.world.random() < 0.5;

/** An image by its id, as reads find it: undefined for one that is gone but whose id is still known. Throws where the id is not. */
export function findImage(call: CloudCall<unknown>, id: string): Image | undefined {
  if (!/^ami-[0-9a-f]{8,17}$/.test(id))
    throw refused('InvalidAMIID.Malformed', `Invalid id: "${id}" (expecting "ami-...")`);
  const image = call.region.images.get(id);
  if (image === undefined || !maySee(image, call.caller) || !isKnown(image, call)) throw unknownImage(id);
  if (image.gone && call.now >= image.gone.unknownFrom) throw unknownImage(id);
  return image.gone && call.now >= image.gone.hiddenFrom ? undefined : image;
}

/** An image of the caller's own that is there. */
export function ownImage(call: CloudCall<unknown>, id = ''): Image {
  const image = findImage(call, id);
  if (image === undefined || image.gone)
    throw refused('InvalidAMIID.Unavailable', `The image ID '${id}' is no longer available`);
  if (image.owner !== call.caller.account) throw refused('AuthFailure', `Not authorized for image:${id}`);
  return image;
}

const pendingImage = (id: string): CloudError =>
  refused('InvalidAMIID.Unavailable', `The image ID '${id}' is currently pending and may not be used here`);

/** An own image that is available, as most changes want it. */
export function availableImage(call: CloudCall<unknown>, id = ''): Image {
  const image = ownImage(call, id);
  return ready(image, call.now);
}

/** The same image, unless it is still pending, failed or disabled. */
export function ready(image: Image, now: number): Image {
  const state = imageState(image, now);
  if (state === 'pending') throw pendingImage(image.id);
  if (state !== 'available') throw refused('InvalidAMIID.Unavailable', `The image ID '${image.id}' is ${state}`);
  return image;
}

/** A snapshot that the caller owns or may use. */
export function usableSnapshot({ region, caller }: CloudCall<unknown>, id = ''): Snapshot {
  if (!/^snap-[0-9a-f]{8,17}$/.test(id))
    throw refused('InvalidSnapshotID.Malformed', `Invalid id: "${id}" (expecting "snap-...")`);
  const snapshot = region.snapshots.get(id);
  const maySee =
    [caller.account, 'all'].some((who) => snapshot?.sharedWith.has(who)) || snapshot?.owner === caller.account;
  if (snapshot === undefined || !maySee)
    throw refused('InvalidSnapshot.NotFound', `The snapshot '${id}' does not exist.`);
  return snapshot;
}

export function ownSnapshotOf(call: CloudCall<unknown>, id = ''): Snapshot {
  const snapshot = usableSnapshot(call, id);
  if (snapshot.owner !== call.caller.account) throw refused('AuthFailure', `Not authorized for snapshot:${id}`);
  return snapshot;
}
