import type { Snapshot } from '../ebs/snapshot.ts';
import type { Image } from '../ec2/image.ts';
import type { ImportTask } from '../ec2/import-task.ts';
import type { Instance } from '../ec2/instance.ts';
import type { Parameter } from '../ssm/parameter.ts';
import { ClientTokens } from './client-tokens.ts';
import type { Partition } from './identities.ts';
import { Settling } from './settling.ts';

export type SnapshotSharing = 'block-all-sharing' | 'block-new-sharing' | 'unblocked';

/** What an account has set in a region. */
export class RegionSettings {
  encryptsByDefault = false;
  /** The account's own key for that; undefined for the one that AWS manages. */
  defaultKey: string | undefined;
  blocksPublicImages = new Settling(false);
  snapshotSharing: SnapshotSharing = 'unblocked';
  /** Public images that it may have ("AMI quotas"). */
  publicImages = 5;
}

/** A region: it knows nothing of the others. */
export class CloudRegion {
  readonly name: string;
  readonly partition: Partition;
  /** Whether the account has opted in; all others need not. */
  isEnabled: boolean;
  readonly snapshots = new Map<string, Snapshot>();
  readonly images = new Map<string, Image>();
  readonly instances = new Map<string, Instance>();
  /** Types of instances that the region does not have. */
  readonly missingTypes = new Set<string>();
  /** Types that there are no free machines of. */
  readonly fullTypes = new Set<string>();
  /** Whether the account has a default network. */
  hasDefaultNetwork = true;
  readonly imports = new Map<string, ImportTask>();
  /** By account and name. */
  readonly parameters = new Map<string, Parameter>();
  /** Launch templates, by their ARNs, and the image that one names, or those of its versions, the newest first. */
  readonly launchTemplates = new Map<string, string | readonly string[]>();
  /** Objects of S3, `BUCKET/KEY`, and their sizes in bytes. */
  readonly objects = new Map<string, number>();
  readonly tokens = new ClientTokens();
  /** Keys of KMS that are there and may be used. */
  readonly kmsKeys = new Set<string>();
  /** Copies of snapshots into the region that others have under way; they count for the limit. */
  otherCopies = 0;
  /** Why the next copies fail, once they have begun. */
  readonly copyFailures: string[] = [];
  /** Whether the account has the role by which disks are read from S3. */
  hasImportRole = true;
  /** Why the next imports fail, once they have begun. */
  readonly importFailures: string[] = [];
  readonly #settings = new Map<string, RegionSettings>();

  constructor(name: string, partition: Partition, isEnabled: boolean) {
    this.name = name;
    this.partition = partition;
    this.isEnabled = isEnabled;
  }

  settingsOf(account: string): RegionSettings {
    const settings = this.#settings.get(account) ?? new RegionSettings();
    this.#settings.set(account, settings);
    return settings;
  }

  /** The key that AWS makes for an account. */
  managedKey = (account: string): string =>
    `arn:${this.partition}:kms:${this.name}:${account}:key/00000000-aaaa-4000-8000-000000000000`;

  /** The key of what is encrypted without a name of one. */
  defaultKey = (account: string): string => this.settingsOf(account).defaultKey ?? this.managedKey(account);
}
