import { hash } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { BLOCK_BYTES, type BlockList, DIGEST_BYTES } from '../../../src/disk/block-list.ts';
import type { AskKeys } from '../../../src/ebs/aws-session.ts';
import type { EbsSettings } from '../../../src/ebs/ebs-settings.ts';
import type { SnapshotSource } from '../../../src/ebs/send-snapshot.ts';
import type { SnapshotOptions } from '../../../src/ebs/snapshot-request.ts';
import { type UploadedSnapshot, uploadSnapshot } from '../../../src/ebs/upload-snapshot.ts';
import { openFetch } from '../../../src/host/process-fetch.ts';
import { type Cloud, type CloudOptions, startCloud } from '../../emulators/aws/cloud/emulator.ts';
import type { Identity } from '../../emulators/aws/cloud/identities.ts';
import { type Snapshot, stateAt, volumeChecksum } from '../../emulators/aws/ebs/snapshot.ts';
import { chancesOf } from '../../support/chances.ts';
import { noise, ownProgram, writeDisk } from '../../support/disks.ts';
import { type MemoryLog, memoryLog } from '../../support/memory-log.ts';
import { uniqueTempDir } from '../../support/tools.ts';

export const REGION = 'eu-central-1';

/** The program's own, without proxies. */
export const plainFetch = openFetch(() => undefined);

export const keysOf =
  ({ accessKey, secret, token, expires }: Identity): AskKeys =>
  async () => ({
    accessKeyId: accessKey,
    secretAccessKey: secret,
    sessionToken: token,
    ...(expires === undefined ? {} : { expiration: new Date(expires) }),
  });

const contents = new Map<string, Buffer>();

function contentOf(letter: string): Buffer {
  const known = contents.get(letter) ?? noise(BLOCK_BYTES, letter.charCodeAt(0));
  contents.set(letter, known);
  return known;
}

/** A disk of letters, one for each block: `0` is a hole, others are noise of their own. */
export async function diskOf(path: string, letters: string, shorter = 0): Promise<SnapshotSource> {
  const size = letters.length * BLOCK_BYTES - shorter;
  const parts = [...letters].flatMap((letter, block): [number, Buffer][] => {
    const length = Math.min(BLOCK_BYTES, size - block * BLOCK_BYTES);
    return letter === '0' ? [] : [[block * BLOCK_BYTES, contentOf(letter).subarray(0, length)]];
  });
  await writeDisk(path, size, parts);
  const digests = Buffer.alloc(letters.length * DIGEST_BYTES);
  for (let block = 0; block < letters.length; block += 1) {
    const bytes = Buffer.alloc(Math.min(BLOCK_BYTES, size - block * BLOCK_BYTES));
    parts.find(([offset]) => offset === block * BLOCK_BYTES)?.[1].copy(bytes);
    digests.set(hash('sha256', bytes, 'buffer'), block * DIGEST_BYTES);
  }
  return { path, size, blocks: { size, digests } };
}

export interface UploadKit {
  readonly cloud: Cloud;
  readonly log: MemoryLog;
  readonly folder: string;
  /** What EC2 was asked to delete. */
  readonly deleted: readonly string[];
  upload(
    source: SnapshotSource,
    options?: Partial<SnapshotOptions>,
    settings?: Partial<EbsSettings>,
  ): Promise<UploadedSnapshot>;
  /** Requests of a verb by outcome. */
  count(verb: string, outcome?: string): number;
  snapshot(id: string): Snapshot;
  /** The first block of a volume of the snapshot that is not the disk's; undefined for none. */
  wrongBlock(id: string, blocks: BlockList): number | undefined;
}

/**
 * An emulated region and what uploads to it need. The cloud's time runs `faster` times as fast as the machine's, by which threads wait, or by so many
 * milliseconds for each request, however fast the machine is; it jumps over what the program itself sleeps.
 */
export async function startUploadKit(
  options: CloudOptions & { readonly faster?: number; readonly perRequest?: number } = {},
): Promise<UploadKit> {
  const { faster = 1, perRequest, ...cloudOptions } = options;
  const begin = Date.now();
  let slept = 0;
  let requests: Cloud['requests'] = [];
  const passed = (): number => (perRequest ? requests.length * perRequest : (Date.now() - begin) * faster);
  const now = (): number => begin + passed() + slept;
  const cloud = await startCloud({ now, signatureTime: now, lags: 'none', keepsBlocks: true, ...cloudOptions });
  requests = cloud.requests;
  onTestFinished(() => cloud.stop());
  const dir = await uniqueTempDir('ebs-upload');
  onTestFinished(() => dir.remove());
  const log = memoryLog();
  const deleted: string[] = [];
  const { snapshots } = cloud.state.region(REGION);
  const random = chancesOf(1);
  const { signal } = new AbortController();
  const fixed: EbsSettings = {
    region: REGION,
    endpoint: cloud.url,
    credentials: keysOf(cloud.admin),
    program: ownProgram,
    threads: 1,
    fetch: plainFetch,
    log,
    signal,
    clock: {
      now: Date.now,
      random,
      sleep: async (milliseconds, signal) => {
        signal?.throwIfAborted();
        slept += milliseconds;
      },
    },
    snapshotState: async (id) => {
      const found = snapshots.get(id);
      return found && stateAt(found, now());
    },
    deleteSnapshot: async (id) => {
      deleted.push(id);
      snapshots.delete(id);
    },
    limits: { delay: 20, mostDelay: 500 },
  };
  const snapshotOf = (id: string): Snapshot => {
    const found = snapshots.get(id);
    if (found === undefined) throw new Error(`${id} is not there`);
    return found;
  };
  return {
    cloud,
    log,
    folder: dir.path,
    deleted,
    upload: (source, more, settings) =>
      uploadSnapshot({ ...fixed, ...settings }, source, { clientToken: 'content', ...more }),
    count: (verb, outcome) =>
      cloud.requests.filter((one) => one.verb === `ebs:${verb}` && (outcome ?? one.outcome) === one.outcome).length,
    snapshot: snapshotOf,
    wrongBlock(id, { digests }) {
      const snapshot = snapshotOf(id);
      const count = digests.length / DIGEST_BYTES;
      return Array.from({ length: count }, (_, block) => block).find((block) => {
        const wanted = Buffer.from(digests.subarray(block * DIGEST_BYTES, (block + 1) * DIGEST_BYTES));
        return volumeChecksum(snapshot, block) !== wanted.toString('base64');
      });
    },
  };
}
