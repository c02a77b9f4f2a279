/** Who may use an AMI or snapshot beside its owner. */
export interface Sharing {
  readonly public: boolean;
  /** Numbers of accounts. */
  readonly accounts: readonly string[];
  /** ARNs of organisations; snapshots know neither these nor the next. */
  readonly organizations: readonly string[];
  /** ARNs of organisational units. */
  readonly units: readonly string[];
}

/** What is given and taken; what stands in neither stays as it is. */
interface SharingChange {
  readonly add: Sharing;
  readonly remove: Sharing;
}

/** States of an AMI that never becomes `available` (EC2 API reference, Image). */
const FAILED_STATES: readonly string[] = ['failed', 'error', 'invalid'];

/** Whether an AMI has failed, and never becomes `available`. */
export const hasFailed = ({ state }: { readonly state: string }): boolean => FAILED_STATES.includes(state);

/** An AMI of ours, as EC2 describes it. */
export interface AmiRecord {
  readonly id: string;
  readonly name: string;
  /** `pending`, `available`, one of FAILED_STATES, `deregistered`, `disabled`, `transient`. */
  readonly state: string;
  /** Why it is in that state, where AWS says so. */
  readonly reason: string | undefined;
  readonly isPublic: boolean;
  /** Milliseconds since 1970. */
  readonly created: number | undefined;
  /** Milliseconds since 1970; undefined where it is never deprecated. */
  readonly deprecated: number | undefined;
  /** When it was last launched, in milliseconds since 1970; EC2 says so a day later, and never of what nobody has launched. */
  readonly launched?: number | undefined;
  /** Whether it is protected from being deregistered. */
  readonly isProtected: boolean;
  /** Of its disks; none may be named while it is pending. */
  readonly snapshots: readonly string[];
  readonly tags: ReadonlyMap<string, string>;
}

/** A snapshot of ours. */
export interface SnapshotRecord {
  readonly id: string;
  /** `pending`, `completed`, `error`, `recoverable`, `recovering`. */
  readonly state: string;
  readonly reason: string | undefined;
  readonly isEncrypted: boolean;
  /** Milliseconds since 1970. */
  readonly started?: number | undefined;
  /** What it stores by itself, as well as that is known: at most its volume. */
  readonly bytes?: number;
  readonly tags: ReadonlyMap<string, string>;
}

/** What is looked for among AMIs of this account: all that fit one of the three. */
export type AmiQuery =
  | { readonly ids: readonly string[] }
  | { readonly names: readonly string[] }
  | { readonly snapshots: readonly string[] }
  | { readonly isPublic: true }
  | { readonly tag: string; readonly values: readonly string[] };

export type SnapshotQuery =
  | { readonly ids: readonly string[] }
  | { readonly tag: string; readonly values: readonly string[] };

type Tags = Readonly<Record<string, string>>;

/** What RegisterImage is given. Its own defaults are i386, paravirtual and no ENA, so nothing is left to it. */
export interface AmiRegistration {
  readonly name: string;
  readonly description: string;
  readonly architecture: 'x86_64' | 'arm64';
  readonly bootMode: 'uefi' | 'uefi-preferred' | 'legacy-bios';
  readonly tpm: boolean;
  /** Base64, for Secure Boot. */
  readonly uefiData: string | undefined;
  readonly rootDevice: string;
  readonly snapshotId: string;
  readonly tags: Tags;
}

/** What CopyImage is given, in the region that the copy is made in. */
interface AmiCopy {
  readonly clientToken: string;
  readonly name: string;
  readonly description: string;
  readonly sourceRegion: string;
  readonly sourceId: string;
  /** Encrypts the copy; undefined leaves that to the account. */
  readonly kmsKey: string | undefined;
  /** Minutes that the copy takes at most, for a price; undefined for as long as it takes. */
  readonly minutes: number | undefined;
  readonly tags: Tags;
}

/** A region, and whether the account uses it: `opt-in-not-required`, `opted-in`, `not-opted-in`. */
export interface RegionRecord {
  readonly name: string;
  readonly optIn: string;
}

/**
 * The part of EC2's interface that AMIs need, in one region. Everything throws AwsRefusal for what AWS refuses, and UserError
 * for what did not get there.
 */
export interface Ec2Api {
  /** AMIs of this account, disabled ones included. */
  images(query: AmiQuery): Promise<readonly AmiRecord[]>;
  snapshots(query: SnapshotQuery): Promise<readonly SnapshotRecord[]>;
  /** Gives the AMI's id. There is no client token: the name is what is unique. */
  registerImage(registration: AmiRegistration): Promise<string>;
  /** Gives the new AMI's id, which is `pending`. */
  copyImage(copy: AmiCopy): Promise<string>;
  deregisterImage(id: string): Promise<void>;
  deleteSnapshot(id: string): Promise<void>;
  imageSharing(id: string): Promise<Sharing>;
  shareImage(id: string, change: SharingChange): Promise<void>;
  snapshotSharing(id: string): Promise<Sharing>;
  shareSnapshot(id: string, change: SharingChange): Promise<void>;
  /** `at`: milliseconds since 1970; EC2 rounds to the minute. */
  deprecateImage(id: string, at: number): Promise<void>;
  /** With a cool-down it cannot be deregistered for 24 hours after the protection ends. */
  protectImage(id: string, withCooldown: boolean): Promise<void>;
  unprotectImage(id: string): Promise<void>;
  tag(id: string, tags: Tags): Promise<void>;
  /** All regions of the partition, those that the account does not use included. */
  regions(): Promise<readonly RegionRecord[]>;
  /** Whether the account has new snapshots encrypted unasked. */
  encryptsByDefault(): Promise<boolean>;
  /** Whether AMIs may not be made public. */
  blocksPublicImages(): Promise<boolean>;
  /** Whether snapshots may not be made public. */
  blocksPublicSnapshots(): Promise<boolean>;
}
