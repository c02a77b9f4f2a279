import { hash } from 'node:crypto';
import { UserError } from '../core/error.ts';
import { type BlockList, diskIdentity } from '../disk/block-list.ts';
import type { SnapshotRequest } from './ebs-client.ts';

/** A snapshot that exists, with the blocks of the disk that it was made of. */
export interface ParentSnapshot {
  readonly snapshotId: string;
  readonly blocks: BlockList;
}

/** How a snapshot is to be. */
export interface SnapshotOptions {
  /**
   * What stands for the snapshot beside the content of its disk: who asks with the same words, disk and options gets the same snapshot, so tags that
   * differ from run to run make another.
   */
  readonly clientToken: string;
  /** A snapshot of the same account and region whose blocks need not be sent again. */
  readonly parent?: ParentSnapshot | undefined;
  readonly description?: string | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** Key to encrypt with. Default: what the account says. */
  readonly kmsKeyArn?: string | undefined;
  /** Minutes without a block after which AWS gives the snapshot up, 10 to 4320. Default: 60. */
  readonly timeoutMinutes?: number | undefined;
}

const GIB = 1024 ** 3;

/** Limits of StartSnapshot (EBS direct APIs; of two that contradict each other the stricter). */
const LIMITS = { description: 255, tags: 50, key: 127, value: 255, leastTimeout: 10, mostTimeout: 4320 } as const;

const DEFAULT_TIMEOUT = 60;

/** Throws UserError `input` for what StartSnapshot would refuse. */
export function checkOptions({ description = '', tags = {}, timeoutMinutes, kmsKeyArn }: SnapshotOptions): void {
  const wrong = (what: string, hint: string): UserError => new UserError('input', what, { hint });
  if (description.length > LIMITS.description) {
    throw wrong(
      `the description of a snapshot has ${description.length} characters`,
      `It may have ${LIMITS.description} at most.`,
    );
  }
  const entries = Object.entries(tags);
  if (entries.length > LIMITS.tags)
    throw wrong(`a snapshot has ${entries.length} tags`, `It may have ${LIMITS.tags} at most.`);
  for (const [key, value] of entries) {
    if (key === '' || key.length > LIMITS.key || key.startsWith('aws:')) {
      const hint = `A tag's name has 1 to ${LIMITS.key} characters and does not begin with aws:.`;
      throw wrong(`${JSON.stringify(key)} is not a valid name of a tag`, hint);
    }
    if (value.length > LIMITS.value) {
      throw wrong(`the tag ${key} has ${value.length} characters`, `It may have ${LIMITS.value} at most.`);
    }
  }
  if (
    timeoutMinutes !== undefined &&
    !(timeoutMinutes >= LIMITS.leastTimeout && timeoutMinutes <= LIMITS.mostTimeout)
  ) {
    throw wrong(
      `${timeoutMinutes} minutes is not a valid limit for a snapshot`,
      `It is ${LIMITS.leastTimeout} to ${LIMITS.mostTimeout} minutes.`,
    );
  }
  if (kmsKeyArn !== undefined && !/^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+$/.test(kmsKeyArn)) {
    throw wrong(`${JSON.stringify(kmsKeyArn)} is not the ARN of a key`, 'It is arn:aws:kms:REGION:ACCOUNT:key/ID.');
  }
}

/**
 * What StartSnapshot is asked. The token covers all of it and what is on the disk, so that it never stands for two requests (ConflictException) or two
 * disks; `generation` makes another one where what the first stands for cannot be used any more.
 */
export function snapshotRequest(
  blocks: BlockList,
  region: string,
  options: SnapshotOptions,
  { generation, parent }: { readonly generation: number; readonly parent: ParentSnapshot | undefined },
): SnapshotRequest {
  const { clientToken, description, tags = {}, kmsKeyArn, timeoutMinutes = DEFAULT_TIMEOUT } = options;
  const body = {
    VolumeSize: Math.ceil(blocks.size / GIB),
    Timeout: timeoutMinutes,
    ...(description === undefined ? {} : { Description: description }),
    // A child is encrypted as its parent is, and the service refuses to be told so.
    ...(parent === undefined
      ? kmsKeyArn !== undefined && ({ Encrypted: true, KmsKeyArn: kmsKeyArn } as const)
      : { ParentSnapshotId: parent.snapshotId }),
    Tags: Object.entries(tags)
      .map(([Key, Value]) => ({ Key, Value }))
      .sort((a, b) => (a.Key < b.Key ? -1 : 1)),
  };
  // 64 characters, which is the most.
  return {
    ...body,
    ClientToken: hash('sha256', JSON.stringify([diskIdentity(blocks), clientToken, region, generation, body])),
  };
}
