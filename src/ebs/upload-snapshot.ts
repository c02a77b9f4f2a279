import { countText } from '../core/count.ts';
import { cancelled, UserError } from '../core/error.ts';
import { BLOCK_BYTES } from '../disk/block-list.ts';
import { awaitCompleted } from './await-completed.ts';
import { discard } from './discard.ts';
import type { StartedSnapshot } from './ebs-client.ts';
import { EbsError, ebsUserError } from './ebs-failure.ts';
import { type EbsSettings, openApi, type SnapshotApi } from './ebs-settings.ts';
import { verifySample } from './read-back.ts';
import { type SentBlocks, type SnapshotSource, sendSnapshot } from './send-snapshot.ts';
import { checkOptions, type ParentSnapshot, type SnapshotOptions, snapshotRequest } from './snapshot-request.ts';

/** What became of an upload. */
export interface UploadedSnapshot {
  readonly snapshotId: string;
  /** Blocks that were sent by this run. */
  readonly sent: number;
  /** Blocks that an earlier run had sent. */
  readonly resumed: number;
  readonly skippedZero: number;
  readonly skippedEqual: number;
  readonly encrypted: boolean;
  /** Blocks that were read back and are right. */
  readonly verified: number;
}

/** Tokens that are tried: what an earlier run started may have been deleted, or have failed. */
const GENERATIONS = 4;

/** A snapshot that was started so many seconds before the answer is one of an earlier run: the answer's time has seconds only. */
const EARLIER = 10;

/**
 * Makes a snapshot of a disk by the EBS direct APIs, and waits until it is completed. Whoever asks again with the same options finds the snapshot of
 * the run before, and goes on with it. One that cannot become right is deleted; one that is cut off (cancelled, network) stays for the next run, and
 * AWS gives it up after `timeoutMinutes`. Throws UserError: `input` before anything is made, `file` where the disk is another than was hashed,
 * `credentials` and `registry` with code, reason, request and region.
 */
export async function uploadSnapshot(
  settings: EbsSettings,
  source: SnapshotSource,
  options: SnapshotOptions,
): Promise<UploadedSnapshot> {
  checkOptions(options);
  const api = openApi(settings);
  try {
    return await upload(api, source, options);
  } catch (error) {
    if (settings.signal.aborted) throw cancelled(error);
    throw error instanceof EbsError ? withOtherWay(error) : error;
  }
}

/** Accounts and regions that have no EBS direct refuse the first request, or have nothing that answers it. */
const NOT_THERE = /^(?:AccessDenied|UnrecognizedClient|OptInRequired|UnknownOperation|Unreach|Unexpected|NotFound)/;

/** Names the way by S3 where EBS direct may be what is missing. */
function withOtherWay(error: EbsError): UserError {
  const shown = ebsUserError(error);
  const { action, code } = error.failure;
  if (action !== 'StartSnapshot' || !NOT_THERE.test(code)) return shown;
  const other = 'Where EBS direct cannot be used, upload by way of S3: --upload s3 --upload-bucket BUCKET';
  return new UserError(shown.code, shown.message, {
    hint: [shown.hint, other].filter(Boolean).join('\n'),
    docs: 'aws-iam.md#through-s3',
    cause: error,
  });
}

async function upload(api: SnapshotApi, source: SnapshotSource, options: SnapshotOptions): Promise<UploadedSnapshot> {
  const { log } = api.settings;
  let parent = usableParent(api, source, options.parent);
  for (let generation = 0; generation < GENERATIONS; generation += 1) {
    const request = snapshotRequest(source.blocks, api.settings.region, options, { generation, parent });
    let started: StartedSnapshot;
    try {
      started = await api.client.start(request);
    } catch (error) {
      if (parent === undefined || !isAboutParent(error)) throw error;
      log.warn(
        `${ebsUserError(error).message}; sending all blocks instead of those that differ from ${parent.snapshotId}`,
      );
      [parent, generation] = [undefined, -1];
      continue;
    }
    if (parent && options.kmsKeyArn !== undefined && started.KmsKeyArn !== options.kmsKeyArn) {
      log.warn(`${parent.snapshotId} is not encrypted with ${options.kmsKeyArn}; sending all blocks`);
      await discard(api.settings, started.SnapshotId);
      [parent, generation] = [undefined, -1];
      continue;
    }
    const found = await stateOf(api, started);
    if (found === 'useless') continue;
    const blocks = await sendSnapshot(api, source, { started, parent, isCompleted: found === 'completed' });
    if (blocks !== 'gone') return finish(api, started, blocks);
  }
  throw new UserError(
    'registry',
    `cannot start a snapshot in ${api.settings.region}: ${GENERATIONS} of them are gone`,
    {
      hint: 'Check that nothing else deletes snapshots of this account while they are written.',
    },
  );
}

/** A volume is never smaller than its parent's. */
function usableParent({ settings }: SnapshotApi, { size }: SnapshotSource, parent: ParentSnapshot | undefined) {
  if (parent === undefined || parent.blocks.size <= size) return parent;
  settings.log.warn(`${parent.snapshotId} is larger than the disk; sending all blocks`);
  return undefined;
}

/** Whether a refusal may be the parent's: it is gone, somebody else's, or not encrypted in an account that encrypts everything. */
const isAboutParent = (error: unknown): error is EbsError =>
  error instanceof EbsError && ['ValidationException', 'ResourceNotFoundException'].includes(error.failure.code);

/** What became of the snapshot that a token stands for; EC2 is asked only where an earlier run started it. */
async function stateOf(
  { settings, session }: SnapshotApi,
  { SnapshotId, StartTime, Status }: StartedSnapshot,
): Promise<'new' | 'completed' | 'useless'> {
  const isEarlier = session.now().getTime() / 1000 - StartTime > EARLIER;
  if (!isEarlier && Status === 'pending') return 'new';
  const state = await settings.snapshotState(SnapshotId);
  if (state === 'completed') return 'completed';
  if (state === 'pending') {
    settings.log.info(`going on with ${SnapshotId} in ${settings.region}`);
    return 'new';
  }
  settings.log.debug(`${SnapshotId} in ${settings.region} is ${state ?? 'gone'}; starting another snapshot`);
  return 'useless';
}

async function finish(api: SnapshotApi, started: StartedSnapshot, blocks: SentBlocks): Promise<UploadedSnapshot> {
  const { settings, client } = api;
  const { SnapshotId: snapshotId, KmsKeyArn } = started;
  const { clock, region, log } = settings;
  if ((await awaitCompleted(snapshotId, settings)) === 'error') {
    await discard(settings, snapshotId);
    throw new UserError('registry', `${snapshotId} in ${region} has failed although all of it was sent`, {
      hint: 'Check that the key it is encrypted with may be used, and run again.',
    });
  }
  const sample = settings.readBack ?? SAMPLE;
  const verified = await verifySample(client, snapshotId, blocks.written, {
    sample,
    region,
    checksums: blocks.checksums,
    clock,
  }).catch(async (error: unknown) => {
    if (error instanceof UserError && error.code === 'digest') await discard(settings, snapshotId);
    throw error;
  });
  if (verified === 0 && sample > 0 && blocks.written.length > 0) {
    log.warn(
      `no block of ${snapshotId} was read back: ebs:ListSnapshotBlocks and ebs:GetSnapshotBlock are not allowed`,
    );
  }
  const { sent, resumed, skippedZero, skippedEqual } = blocks;
  log.info(`${snapshotId} in ${region}: ${countText(sent, 'block')} of ${BLOCK_BYTES / 1024} KiB sent`);
  return { snapshotId, sent, resumed, skippedZero, skippedEqual, encrypted: KmsKeyArn !== undefined, verified };
}

/** Blocks that are read back: each is two requests. */
const SAMPLE = 4;
