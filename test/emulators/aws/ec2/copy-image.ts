import type { BlockDeviceMapping, CopyImageRequest } from '@aws-sdk/client-ec2';
import type { CloudCall } from '../cloud/cloud-call.ts';
import type { Snapshot } from '../ebs/snapshot.ts';
import { addSnapshotCopy, checkCopies } from './copies.ts';
import type { Image } from './image.ts';
import { findImage, ready, refused } from './look-up.ts';
import { addImage, checkName } from './register-image.ts';
import { tagsFor } from './tag-specification.ts';

type Copy = CloudCall<CopyImageRequest>;

/** The image in the region that it comes from, which the caller may use there. */
function sourceOf(call: Copy): { readonly image: Image; readonly snapshots: ReadonlyMap<string, Snapshot> } {
  const { input, cloud, region, caller, now } = call;
  const from = cloud.regions.get(input.SourceRegion ?? '');
  if (from?.partition !== region.partition || !from.isEnabled)
    throw refused('InvalidRequest', `The source region ${input.SourceRegion} is not valid.`);
  const image = findImage({ ...call, region: from }, input.SourceImageId ?? '');
  if (image === undefined || image.gone)
    throw refused('InvalidAMIID.Unavailable', `The image ID '${input.SourceImageId}' is no longer available`);
  ready(image, now);
  for (const { Ebs } of image.mappings) {
    const snapshot = from.snapshots.get(Ebs?.SnapshotId ?? '');
    const mayRead =
      [caller.account, 'all'].some((who) => snapshot?.sharedWith.has(who)) || snapshot?.owner === caller.account;
    if (!mayRead) throw refused('InvalidRequest', 'You do not have permission to access the storage of this ami');
  }
  return { image, snapshots: from.snapshots };
}

/** A timed copy takes a quarter of an hour to two days, by quarters. */
function checkMinutes(minutes: number | undefined): void {
  if (minutes !== undefined && (minutes < 15 || minutes > 2880 || minutes % 15 !== 0))
    throw refused('InvalidParameterValue', `Invalid value '${minutes}' for SnapshotCopyCompletionDurationMinutes.`);
}

/** Who may launch it is not copied, nor when it is deprecated; it is pending for minutes, and may fail then. */
export function copyImage(call: Copy): object {
  const { input, region, caller, now } = call;
  const { ClientToken: token, SnapshotCopyCompletionDurationMinutes: minutes } = input;
  if (token !== undefined && token.length > 64)
    throw refused('InvalidParameterValue', 'ClientToken has more than 64 characters.');
  const key = `CopyImage ${caller.account} ${token}`;
  const known =
    token !== undefined &&
    region.tokens.find(key, input, now, () => {
      throw refused('IdempotentParameterMismatch', 'The client token was used with other parameters.');
    });
  if (known) return known;
  checkMinutes(minutes);
  const given = tagsFor(input.TagSpecifications, ['image', 'snapshot']);
  const { image: source, snapshots } = sourceOf(call);
  checkName(call, input.Name);
  checkCopies(call);
  const isOwn = source.owner === caller.account;
  const copied = input.CopyImageTags && isOwn ? source.view.value.tags : new Map<string, string>();
  const begun = source.mappings.map(({ Ebs, ...mapping }) => {
    const snapshot = snapshots.get(Ebs?.SnapshotId ?? '');
    if (snapshot === undefined) return { mapping: { ...mapping, ...(Ebs ? { Ebs } : {}) } };
    const copy = addSnapshotCopy(call, snapshot, {
      ...input,
      minutes,
      failure: region.copyFailures.shift(),
      tags: new Map(given.snapshot),
      description: `Copied for DestinationAmi from SourceAmi ${source.id} for SourceSnapshot ${snapshot.id}.`,
    });
    const Encrypted = copy.snapshot.kmsKey !== undefined;
    return { copy, mapping: { ...mapping, Ebs: { ...Ebs, SnapshotId: copy.snapshot.id, Encrypted } } };
  });
  const copies = begun.flatMap(({ copy }) => copy ?? []);
  const image = addImage(
    call,
    {
      ...source,
      name: input.Name ?? '',
      mappings: begun.map(({ mapping }): BlockDeviceMapping => mapping),
      source: { id: source.id, region: input.SourceRegion ?? '' },
      readyAt: Math.max(now, ...copies.map(({ readyAt }) => readyAt)),
      failure: copies.find(({ failure }) => failure !== undefined)?.failure,
    },
    { description: input.Description ?? source.view.value.description, tags: new Map([...copied, ...given.image]) },
  );
  const answer = { ImageId: image.id };
  if (token !== undefined) region.tokens.keep(key, input, now, answer);
  return answer;
}
