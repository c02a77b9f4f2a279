import type {
  CopySnapshotRequest,
  DeleteSnapshotRequest,
  DescribeSnapshotAttributeRequest,
  DescribeSnapshotsRequest,
  ModifySnapshotAttributeRequest,
} from '@aws-sdk/client-ec2';
import type { CloudCall } from '../cloud/cloud-call.ts';
import { blocksIn, type Snapshot, stateAt } from '../ebs/snapshot.ts';
import { addSnapshotCopy, checkCopies } from './copies.ts';
import { checkFilters, passes, tagFilters } from './filters.ts';
import { ownSnapshotOf, refused, usableSnapshot } from './look-up.ts';
import { pageOfIds } from './pages.ts';
import { tagList, tagsFor } from './tag-specification.ts';

const FILTERS = ['status', 'description', 'snapshot-id', 'owner-id', 'volume-size', 'encrypted', 'tag-key'];

function describe(snapshot: Snapshot, { now, caller }: CloudCall<unknown>): object {
  const state = stateAt(snapshot, now);
  return {
    SnapshotId: snapshot.id,
    OwnerId: snapshot.owner,
    State: state,
    StateMessage: snapshot.stateMessage,
    Description: snapshot.description,
    VolumeSize: snapshot.volumeSize,
    VolumeId: 'vol-ffffffff',
    StartTime: new Date(snapshot.startedAt),
    Progress: state === 'completed' ? '100%' : `${Math.floor((99 * snapshot.blocks.size) / blocksIn(snapshot))}%`,
    Encrypted: snapshot.kmsKey !== undefined,
    KmsKeyId: snapshot.kmsKey,
    StorageTier: 'standard',
    ...(snapshot.owner === caller.account ? { Tags: tagList(snapshot.tags) } : {}),
  };
}

/** The lists of everything that everybody has made public are too long for anybody: owners or ids are wanted. */
export function describeSnapshots(call: CloudCall<DescribeSnapshotsRequest>): object {
  const { input, region, caller, now } = call;
  const { SnapshotIds = [], OwnerIds = [], Filters } = input;
  checkFilters(Filters, FILTERS);
  const owners = OwnerIds.map((owner) => (owner === 'self' ? caller.account : owner));
  const wanted = (): string[] => {
    const named = SnapshotIds.map((id) => usableSnapshot(call, id));
    const maySee = ({ owner, sharedWith }: Snapshot) =>
      owner === caller.account || sharedWith.has('all') || sharedWith.has(caller.account);
    const all = SnapshotIds.length > 0 ? named : [...region.snapshots.values()].filter(maySee);
    return all
      .filter(({ owner }) => owners.length === 0 || owners.includes(owner))
      .filter((snapshot) =>
        passes(Filters, {
          ...tagFilters(snapshot.tags),
          status: [stateAt(snapshot, now)],
          description: [snapshot.description],
          'snapshot-id': [snapshot.id],
          'owner-id': [snapshot.owner],
          'volume-size': [String(snapshot.volumeSize)],
          encrypted: [String(snapshot.kmsKey !== undefined)],
        }),
      )
      .map(({ id }) => id);
  };
  const { ids, nextToken } = pageOfIds(call, wanted, [5, 1000]);
  const found = ids.map((id) => region.snapshots.get(id)).filter((snapshot) => snapshot !== undefined);
  return { Snapshots: found.map((snapshot) => describe(snapshot, call)), NextToken: nextToken };
}

/** Whether an image that is there has a snapshot under it. */
export const isInUse = ({ region }: CloudCall<unknown>, id: string): boolean =>
  [...region.images.values()].some(({ gone, mappings }) => !gone && mappings.some(({ Ebs }) => Ebs?.SnapshotId === id));

export function deleteSnapshot(call: CloudCall<DeleteSnapshotRequest>): object {
  const { input, region, now } = call;
  const snapshot = ownSnapshotOf(call, input.SnapshotId);
  const image = [...region.images.values()].find(
    ({ gone, mappings }) => !gone && mappings.some(({ Ebs }) => Ebs?.SnapshotId === snapshot.id),
  );
  if (image || now < snapshot.heldUntil)
    throw refused(
      'InvalidSnapshot.InUse',
      `The snapshot ${snapshot.id} is currently in use by ${image?.id ?? 'an AMI'}`,
    );
  region.snapshots.delete(snapshot.id);
  return {};
}

export function modifySnapshotAttribute(call: CloudCall<ModifySnapshotAttributeRequest>): object {
  const { input, region, caller, now } = call;
  const snapshot = ownSnapshotOf(call, input.SnapshotId);
  const { CreateVolumePermission: given, OperationType, UserIds = [], GroupNames = [] } = input;
  const listed = [...UserIds, ...GroupNames];
  if (given && listed.length > 0)
    throw refused(
      'InvalidParameterCombination',
      'CreateVolumePermission cannot be used with lists of users and groups.',
    );
  const whoOf = ({ Group, UserId }: { Group?: string | undefined; UserId?: string | undefined }) =>
    Group ?? UserId ?? '';
  const add = given ? (given.Add ?? []).map(whoOf) : OperationType === 'add' ? listed : [];
  const remove = given ? (given.Remove ?? []).map(whoOf) : OperationType === 'remove' ? listed : [];
  if (add.length + remove.length === 0)
    throw refused('InvalidParameterCombination', 'The request adds and removes nobody.');
  const wrong = [...add, ...remove].find((who) => who !== 'all' && !/^\d{12}$/.test(who));
  if (wrong !== undefined)
    throw refused('InvalidParameterValue', `Invalid value '${wrong}' for createVolumePermission`);
  if (stateAt(snapshot, now) !== 'completed')
    throw refused('IncorrectState', `The snapshot ${snapshot.id} is not in the completed state.`);
  if (add.length > 0 && snapshot.kmsKey === region.managedKey(caller.account))
    throw refused('OperationNotPermitted', 'Encrypted snapshots with EBS default key cannot be shared');
  if (add.includes('all') && snapshot.kmsKey !== undefined)
    throw refused('OperationNotPermitted', 'Encrypted snapshots cannot be made public');
  if (add.includes('all') && region.settingsOf(caller.account).snapshotSharing !== 'unblocked')
    throw refused('OperationNotPermitted', 'Block public access for snapshots is enabled for this account.');
  for (const who of add) snapshot.sharedWith.add(who);
  for (const who of remove) snapshot.sharedWith.delete(who);
  return {};
}

export function describeSnapshotAttribute(call: CloudCall<DescribeSnapshotAttributeRequest>): object {
  const snapshot = ownSnapshotOf(call, call.input.SnapshotId);
  const permissions = [...snapshot.sharedWith].map((who) => (who === 'all' ? { Group: 'all' } : { UserId: who }));
  return { SnapshotId: snapshot.id, CreateVolumePermissions: permissions };
}

export function copySnapshot(call: CloudCall<CopySnapshotRequest>): object {
  const { input, cloud, region, now } = call;
  const from = cloud.regions.get(input.SourceRegion ?? '');
  if (from?.partition !== region.partition)
    throw refused('InvalidParameterValue', `Value (${input.SourceRegion}) for parameter sourceRegion is invalid.`);
  const source = usableSnapshot({ ...call, region: from }, input.SourceSnapshotId);
  if (stateAt(source, now) !== 'completed')
    throw refused('IncorrectState', `The snapshot ${source.id} is not in the completed state.`);
  const { snapshot: tags } = tagsFor(input.TagSpecifications, ['snapshot']);
  checkCopies(call);
  const copy = addSnapshotCopy(call, source, { ...input, tags, description: input.Description ?? '' });
  return { SnapshotId: copy.snapshot.id, Tags: tagList(tags) };
}
