import type { CloudCall } from '../cloud/cloud-call.ts';
import { CloudError } from '../cloud/cloud-error.ts';
import { type Snapshot, stateAt } from './snapshot.ts';

export const invalid = (reason: string, message: string): CloudError =>
  new CloudError('ValidationException', message, { reason });

export const missing = (id: string | undefined): CloudError =>
  new CloudError('ResourceNotFoundException', `The snapshot '${id}' does not exist.`, { reason: 'SNAPSHOT_NOT_FOUND' });

/** A snapshot of the caller's own; those of others are not there. */
export function ownSnapshot({ region, caller }: CloudCall<unknown>, id: string | undefined): Snapshot {
  const snapshot = region.snapshots.get(id ?? '');
  if (snapshot?.owner !== caller.account) throw missing(id);
  return snapshot;
}

/** A snapshot whose blocks the caller may read: completed, own or shared with the account, but not merely public. */
export function readableSnapshot({ region, caller, now }: CloudCall<unknown>, id: string | undefined): Snapshot {
  const snapshot = region.snapshots.get(id ?? '');
  if (snapshot === undefined) throw missing(id);
  if (snapshot.owner !== caller.account && !snapshot.sharedWith.has(caller.account)) {
    if (!snapshot.sharedWith.has('all')) throw missing(id);
    throw new CloudError('AccessDeniedException', 'Public snapshots are not supported.', {
      reason: 'UNAUTHORIZED_ACCOUNT',
    });
  }
  if (stateAt(snapshot, now) !== 'completed')
    throw invalid('INVALID_SNAPSHOT_ID', `The snapshot '${snapshot.id}' is not in the completed state.`);
  // EC2 says completed before this service knows (awslabs/coldsnap 141).
  if (now < (snapshot.completesAt ?? 0) + snapshot.readLag) throw missing(id);
  return snapshot;
}
