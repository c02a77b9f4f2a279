import type { CloudCall } from '../cloud/cloud-call.ts';
import { type Snapshot, stateAt } from '../ebs/snapshot.ts';
import { refused } from './look-up.ts';

const MINUTE = 60_000;

/** Copies of snapshots into a region at a time; it cannot be raised ("Amazon EBS quotas"). */
const MOST_COPIES = 20;

/** Refuses one more copy than a destination takes at a time, whoever began the others. */
export function checkCopies({ region, now }: CloudCall<unknown>): void {
  const own = [...region.snapshots.values()].filter((one) => one.origin === 'copy' && stateAt(one, now) === 'pending');
  if (own.length + region.otherCopies >= MOST_COPIES) {
    throw refused(
      'ResourceLimitExceeded',
      `Too many snapshot copies in progress. The limit is ${MOST_COPIES} for this destination region.`,
    );
  }
}

interface CopySettings {
  readonly Encrypted?: boolean | undefined;
  readonly KmsKeyId?: string | undefined;
  readonly description: string;
  readonly tags: Map<string, string>;
  /** How long it is to take, in minutes. */
  readonly minutes?: number | undefined;
  /** Why it fails in the end, if it does. */
  readonly failure?: string | undefined;
}

/**
 * Begins a copy of a snapshot, which takes from five minutes to an hour; keys are looked at then, so that a wrong one makes it fail later
 * (hashicorp/packer 7673).
 */
export function addSnapshotCopy(
  { cloud, region, caller, now }: CloudCall<unknown>,
  source: Snapshot,
  { Encrypted, KmsKeyId, description, tags, minutes, failure: known }: CopySettings,
): { readonly snapshot: Snapshot; readonly failure: string | undefined; readonly readyAt: number } {
  if (KmsKeyId !== undefined && Encrypted !== true)
    throw refused('InvalidParameterDependency', 'The parameter KmsKeyId requires the parameter Encrypted to be set.');
  if (source.kmsKey !== undefined && Encrypted === false)
    throw refused('InvalidRequest', 'Creating unencrypted copy from an encrypted snapshot is not supported');
  const isEncrypted =
    Encrypted === true || source.kmsKey !== undefined || region.settingsOf(caller.account).encryptsByDefault;
  const kmsKey = isEncrypted ? (KmsKeyId ?? region.defaultKey(caller.account)) : undefined;
  const isMissing = KmsKeyId !== undefined && !region.kmsKeys.has(KmsKeyId);
  const failure = isMissing ? 'Given key ID is not accessible' : known;
  const readyAt = now + (minutes === undefined ? cloud.span(5 * MINUTE, 60 * MINUTE) : minutes * MINUTE);
  const snapshot: Snapshot = {
    id: cloud.id('snap'),
    owner: caller.account,
    volumeSize: source.volumeSize,
    description,
    tags,
    startedAt: now,
    kmsKey,
    parent: source,
    blocks: new Map(),
    sharedWith: new Set(),
    origin: 'copy',
    timeout: Number.POSITIVE_INFINITY,
    lastWrite: now,
    state: failure === undefined ? 'pending' : 'error',
    ...(failure === undefined ? { completesAt: readyAt } : { stateMessage: failure }),
    readLag: cloud.lag(MINUTE),
    blockLag: () => 0,
    heldUntil: 0,
  };
  region.snapshots.set(snapshot.id, snapshot);
  return { snapshot, failure, readyAt };
}
