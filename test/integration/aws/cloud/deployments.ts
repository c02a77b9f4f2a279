import { hash } from 'node:crypto';
import { CompleteSnapshotCommand, PutSnapshotBlockCommand, StartSnapshotCommand } from '@aws-sdk/client-ebs';
import { type Deployed, deploy } from '../../../../src/ami/deploy.ts';
import type { DeployTools, UploadRequest } from '../../../../src/ami/deployment.ts';
import { DeployJournal } from '../../../../src/ami/journal.ts';
import { makePlan } from '../../../../src/ami/make-plan.ts';
import type { AmiPlan } from '../../../../src/ami/plan.ts';
import { preflight } from '../../../../src/ami/preflight.ts';
import { survey } from '../../../../src/ami/survey.ts';
import { parseWanted } from '../../../../src/ami/wanted.ts';
import { openCloud } from '../../../../src/aws/open-cloud.ts';
import { UserError } from '../../../../src/core/error.ts';
import type { CloudOptions } from '../../../emulators/aws/cloud/emulator.ts';
import { variablesOf } from '../../../emulators/aws/cloud/identities.ts';
import { chancesOf } from '../../../support/chances.ts';
import { IdleClock } from '../../../support/idle-clock.ts';
import { memoryLog } from '../../../support/memory-log.ts';
import { type CloudKit, startCloudKit } from './kit.ts';

const DISK = { image: 'team/server', dataBytes: 1e9, bytes: 2 * 1024 ** 3 };

/** Two systems; `version` is another disk for x86-64. */
export const wantedIn = (regions: readonly string[], version = '1.0') =>
  parseWanted({
    disks: [
      { ...DISK, version, system: 'x86_64-linux', identity: `sha256:${hash('sha256', version)}` },
      { ...DISK, version: '1.0', system: 'aarch64-linux', identity: `sha256:${'b'.repeat(64)}` },
    ],
    regions: { required: regions },
    sharing: { public: true },
    parameters: ['/images/{image}/{arch}/latest'],
    deprecateAfterDays: 90,
    protection: 'on',
  });

export interface Deployments {
  readonly kit: CloudKit;
  readonly clock: IdleClock;
  plan(version?: string): Promise<AmiPlan>;
  run(version?: string): Promise<Deployed>;
}

const BLOCK = Buffer.alloc(524_288, 1);

/**
 * Deployments by AWS's own clients into the emulated cloud. The uploads are stand-ins, of two blocks by AWS's client. Time goes on when no request is
 * under way.
 */
export async function startDeployments(options: CloudOptions, regions: readonly string[]): Promise<Deployments> {
  const clock = new IdleClock(chancesOf(7));
  const kit = await startCloudKit({ now: () => clock.now(), ...options });
  const variables: Readonly<Record<string, string>> = {
    ...variablesOf(kit.cloud.admin),
    AWS_ENDPOINT_URL: kit.cloud.url,
  };
  const signal = new AbortController().signal;
  const log = memoryLog();
  const answered = async (...request: Parameters<typeof fetch>): Promise<Response> => {
    const response = await fetch(...request);
    const { status, headers } = response;
    return new Response(await response.arrayBuffer(), { status, headers });
  };
  const cloud = openCloud({
    ...{ log, signal },
    env: (name) => variables[name],
    fetch: (...request) => clock.track(answered(...request)),
  });
  let runs = 0;
  const plan = async (version?: string) => {
    const wanted = wantedIn(regions, version);
    const found = await survey(cloud, wanted);
    return makePlan(await preflight(cloud, wanted, found), wanted, clock.now());
  };
  const run = async (version?: string) => {
    runs += 1;
    const tools: DeployTools = {
      ...{ cloud, clock, log, signal, run: `run-${runs}`, patience: 3 * 3_600_000, smokeTest: undefined },
      journal: new DeployJournal(
        async () => {},
        () => clock.now(),
      ),
      upload: (request) => clock.track(upload(kit, request)),
    };
    return await deploy(await plan(version), tools);
  };
  return { kit, clock, plan, run };
}

/** As uploads do it: what AWS refuses is a UserError. */
async function upload(kit: CloudKit, request: UploadRequest) {
  try {
    return await send(kit, request);
  } catch (error) {
    throw new UserError('registry', `cannot upload: ${String(error)}`, { cause: error });
  }
}

async function send(kit: CloudKit, { region, clientToken, tags }: UploadRequest) {
  const ebs = kit.ebs(region);
  const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  const started = await ebs.send(new StartSnapshotCommand({ VolumeSize: 2, ClientToken: clientToken, Tags }));
  const { SnapshotId = '' } = started;
  // Time stands still here, so nothing that is late would ever be seen.
  Object.assign(kit.cloud.state.region(region).snapshots.get(SnapshotId) ?? {}, { blockLag: () => 0, readLag: 0 });
  const Checksum = hash('sha256', BLOCK, 'base64');
  for (const BlockIndex of [0, 7])
    await ebs.send(
      new PutSnapshotBlockCommand({
        ...{ SnapshotId, BlockIndex, BlockData: BLOCK, DataLength: BLOCK.length, Checksum },
        ChecksumAlgorithm: 'SHA256',
      }),
    );
  await ebs.send(new CompleteSnapshotCommand({ SnapshotId, ChangedBlocksCount: 2 }));
  return { snapshotId: SnapshotId, encrypted: started.KmsKeyArn !== undefined };
}
