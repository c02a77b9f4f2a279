import { hash } from 'node:crypto';
import { copyFile, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { onTestFinished } from 'vitest';
import { deployAmiAt } from '../../../src/commands/deploy-ami.ts';
import { BLOCK_BYTES, type BlockList } from '../../../src/disk/block-list.ts';
import { openDisk } from '../../../src/disk/open-disk.ts';
import { ChunkReuse } from '../../../src/disk-image/chunk-reuse.ts';
import { gridPieces } from '../../../src/disk-image/grid-pieces.ts';
import { writeDiskImage } from '../../../src/disk-image/write-disk-image.ts';
import { runCli } from '../../../src/host/cli.ts';
import { openWorld } from '../../../src/host/start.ts';
import type { BuiltImage } from '../../../src/image/image.ts';
import { NO_ORIGIN } from '../../../src/oci/origin.ts';
import { SYSTEMS, type System } from '../../../src/oci/system.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import type { Cloud, CloudOptions } from '../../emulators/aws/cloud/emulator.ts';
import { startCloud } from '../../emulators/aws/cloud/emulator.ts';
import { type Identity, variablesOf } from '../../emulators/aws/cloud/identities.ts';
import { chancesOf } from '../../support/chances.ts';
import { capture } from '../../support/cli.ts';
import { diskTools, noise } from '../../support/disks.ts';
import { IdleClock } from '../../support/idle-clock.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { ROOT } from '../../support/root.ts';
import type { ProgramResult } from '../../support/tools.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { uefiDisk } from '../../support/uefi-disk.ts';
import { indexOf } from '../storage/kit.ts';

/** Twelve regions, as many as projects deploy to. */
export const TWELVE = [
  ...['eu-central-1', 'us-east-1', 'us-east-2', 'us-west-2', 'ca-central-1', 'sa-east-1'],
  ...['eu-west-1', 'eu-north-1', 'ap-northeast-1', 'ap-south-1', 'ap-southeast-1', 'ap-southeast-2'],
];

/** `--region …` for each. */
export const inRegions = (regions: readonly string[]): string[] => regions.flatMap((region) => ['--region', region]);

export interface DeployKit {
  readonly cloud: Cloud;
  readonly folder: string;
  /** Runs `nix-images deploy-ami` in this process, on the clock of the cloud. */
  run(args: readonly string[], options?: RunOptions): Promise<ProgramResult>;
  /** Requests of a verb that were answered well, in a region or all. */
  count(verb: string, region?: string): number;
  /** What the disks of the folder are, by their names: `x86_64-linux=/…/a.raw`. */
  disk(name: 'x64' | 'arm64' | 'changed'): string;
}

interface OpenDeployKit extends DeployKit {
  close(): Promise<void>;
}

interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly who?: Identity;
  readonly signal?: AbortSignal;
  /** Where S3 is, for deployments by way of it, and what is told of each answer. */
  readonly s3?: { readonly url: string; readonly answered: (...request: Parameters<typeof fetch>) => Promise<void> };
}

/** Two small disks that UEFI would boot, and the first one with one block more that is not zeros and one that is another. */
export async function makeDisks(folder: string): Promise<void> {
  await Promise.all([uefiDisk(join(folder, 'x64.raw')), uefiDisk(join(folder, 'arm64.raw'), 'arm64')]);
  await copyFile(join(folder, 'x64.raw'), join(folder, 'changed.raw'));
  await using file = await open(join(folder, 'changed.raw'), 'r+');
  const bytes = noise(BLOCK_BYTES, 99);
  for (const block of CHANGED_BLOCKS) await file.write(bytes, 0, bytes.length, block * BLOCK_BYTES);
}

/** In the partition after the EFI system partition: one of zeros before, one of data. */
const CHANGED_BLOCKS = [90, 100];

/** How many blocks of `changed` differ from `x64`. */
export const CHANGED = CHANGED_BLOCKS.length;

/** Milliseconds between two runs: nobody starts one within the seconds in which what the last one began counts as this one's own. */
const PAUSE = 15_000;

/**
 * An emulated cloud, a folder, and the command. The cloud's time is the command's, and goes on when nothing is under way, so that copies of an hour
 * take none; it begins at the machine's.
 */
export async function startDeployKit(disks: string, options: CloudOptions = {}): Promise<DeployKit> {
  const kit = await openDeployKit(disks, options);
  onTestFinished(() => kit.close());
  return kit;
}

/** The same for several tests, until it is closed. */
export async function openDeployKit(disks: string, options: CloudOptions = {}): Promise<OpenDeployKit> {
  const idle = new IdleClock(chancesOf(7));
  const begin = Date.now();
  const clock = {
    now: () => begin + idle.now(),
    random: () => idle.random(),
    sleep: (milliseconds: number, signal?: AbortSignal) => idle.sleep(milliseconds, signal),
  };
  const cloud = await startCloud({ now: () => clock.now(), lags: 'none', keepsBlocks: true, ...options });
  const temp = await uniqueTempDir('deploy-ami');
  const command = deployAmiAt(clock);
  return {
    cloud,
    folder: temp.path,
    close: async () => {
      await Promise.all([cloud.stop(), temp.remove()]);
    },
    run: async (args, { env = {}, who = cloud.admin, signal = new AbortController().signal, s3 } = {}) => {
      await clock.sleep(PAUSE);
      const { streams, said } = capture();
      const world = openWorld({
        argv: ['deploy-ami', ...args],
        cwd: temp.path,
        environment: {
          ...{ ...process.env, NO_COLOR: '1', ...variablesOf(who), AWS_ENDPOINT_URL: cloud.url },
          ...(s3 && { AWS_ENDPOINT_URL_S3: s3.url }),
          ...env,
        },
        ...streams,
        program: pathToFileURL(join(ROOT, 'src/main.ts')),
        signal,
      });
      const answered = async (...request: Parameters<typeof fetch>): Promise<Response> => {
        const response = await world.fetch(...request);
        const isOf = (url: string | undefined): boolean => url !== undefined && String(request[0]).startsWith(url);
        if (!isOf(cloud.url) && !isOf(s3?.url)) return response;
        const { status, headers } = response;
        const answer = new Response(status === 204 ? null : await response.arrayBuffer(), { status, headers });
        if (isOf(s3?.url)) await s3?.answered(...request);
        return answer;
      };
      const tracked = { ...world, fetch: (...request: Parameters<typeof fetch>) => idle.track(answered(...request)) };
      const exitCode = await runCli({ 'deploy-ami': async () => command }, tracked);
      return { exitCode, ...said() };
    },
    count: (verb, region) =>
      cloud.requests.filter(
        (one) => one.verb === verb && one.outcome === 'done' && (region === undefined || one.region === region),
      ).length,
    disk: (name) => `${name === 'arm64' ? 'aarch64' : 'x86_64'}-linux=${join(disks, name)}.raw`,
  };
}

/** The digests of a file's blocks, without threads, which take a second to start. */
async function blocksOf(path: string): Promise<BlockList> {
  const bytes = await readFile(path);
  const digests: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES)
    digests.push(hash('sha256', bytes.subarray(at, at + BLOCK_BYTES), 'buffer'));
  return { size: bytes.length, digests: Buffer.concat(digests) };
}

/** Stores a disk in a file as an artifact, by digest. */
export async function storeDisk(repository: Repository, path: string, system: System): Promise<BuiltImage> {
  const { signal } = diskTools;
  const blocks = await blocksOf(path);
  const disk = await openDisk(path, diskTools);
  try {
    return await writeDiskImage(
      {
        ...{ disk, blocks, system, pieces: gridPieces(blocks), bootMode: 'uefi', partitions: [], positions: undefined },
        ...{ storeOffset: null, positionsBefore: null, key: `key of ${path}`, annotations: {}, origin: NO_ORIGIN },
      },
      [repository],
      { reuse: new ChunkReuse([]), parallel: 1, label: path, log: memoryLog(), signal },
    );
  } finally {
    await disk.close();
  }
}

/** Publishes disks of files as an index, in the order of the systems. */
export async function publishDisks(repository: Repository, files: readonly string[], tag: string): Promise<void> {
  const children = [];
  for (const [at, path] of files.entries()) {
    const { manifest } = await storeDisk(repository, path, SYSTEMS[at] ?? SYSTEMS[0]);
    children.push({ manifest, architecture: at === 0 ? 'amd64' : 'arm64' });
  }
  await repository.tag(tag, indexOf(children));
}

/** The lines of a journal. */
export const journalLines = async (path: string): Promise<readonly Readonly<Record<string, unknown>>[]> =>
  (await readFile(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
