import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Deployed, deploy } from '../ami/deploy.ts';
import { readJournal } from '../ami/journal.ts';
import { openDeployJournal, timeName } from '../ami/journal-file.ts';
import type { Left } from '../ami/left.ts';
import { makePlan } from '../ami/make-plan.ts';
import { type AmiManifest, manifestOf, manifestText } from '../ami/manifest.ts';
import { checkPermissions } from '../ami/permissions.ts';
import type { AmiPlan } from '../ami/plan.ts';
import { preflight } from '../ami/preflight.ts';
import { amiPlanText } from '../ami/show-plan.ts';
import { smokeTest } from '../ami/smoke-test.ts';
import { survey } from '../ami/survey.ts';
import { undoJournal } from '../ami/undo.ts';
import { type Undone, undoneOf } from '../ami/undone.ts';
import { homeOf } from '../ami/wanted.ts';
import { UserError } from '../core/error.ts';
import { withFileErrors } from '../core/file-error.ts';
import type { Clock } from '../core/retry.ts';
import type { UploadedSnapshot } from '../ebs/upload-snapshot.ts';
import type { Host } from '../host/host.ts';
import { keepArtifacts } from './ami-artifacts.ts';
import { type AmiWorld, openAmiCloud } from './ami-cloud.ts';
import type { AmiDisk } from './ami-disk.ts';
import { openAmiDisks } from './ami-disks.ts';
import { amiImports, checkUpload } from './ami-import.ts';
import type { DeployAmiInputs } from './ami-inputs.ts';
import { type FoundParents, findParents, wholeDisks } from './ami-parents.ts';
import { amiUpload } from './ami-upload.ts';
import { wantedAmis } from './ami-wanted.ts';
import { runOf } from './github.ts';
import { placesOf } from './places.ts';

/** What was sent for a disk. */
export interface SentDisk
  extends Pick<UploadedSnapshot, 'snapshotId' | 'sent' | 'resumed' | 'skippedZero' | 'skippedEqual'> {
  readonly image: string;
  readonly system: string;
  readonly region: string;
}

/** What a run has done, as data. */
export type AmiResult =
  | { readonly kind: 'plan'; readonly plan: AmiPlan }
  | {
      readonly kind: 'undo';
      readonly journal: string | undefined;
      readonly undone: readonly Undone[];
      /** What an earlier run had taken back. */
      readonly gone: readonly Undone[];
      readonly left: readonly Left[];
    }
  | {
      readonly kind: 'deploy';
      readonly plan: AmiPlan;
      readonly deployed: Deployed;
      readonly manifest: AmiManifest | undefined;
      readonly sent: readonly SentDisk[];
      readonly undone: readonly Undone[];
      /** Path of the journal, and of the manifest where one was written. */
      readonly files: AmiFiles;
    };

interface AmiFiles {
  readonly journal: string | undefined;
  readonly manifest: string | undefined;
}

/**
 * Deploys disks as AMIs, shows how it would, or takes back what a journal tells. A deployment that failed and was taken back is a result, with its
 * failure in it. Throws UserError for what is wrong before anything is made.
 */
export async function deployingAmi(inputs: DeployAmiInputs, host: Host, clock: Clock): Promise<AmiResult> {
  if (inputs.undo !== undefined) return await undoRun(inputs.undo, inputs, host, clock);
  const [home] = inputs.regions;
  if (home === undefined) throw noRegion();
  checkUpload(inputs);
  const places = await placesOf(host, inputs);
  const { disks: opened, close } = await openAmiDisks(inputs, places, host);
  try {
    const disks =
      inputs.image === undefined ? opened : opened.map((disk) => ({ ...disk, image: inputs.image ?? disk.image }));
    const wanted = await wantedAmis(inputs, disks, host);
    const aws = await openAmiCloud(home, inputs, host, clock);
    const folder = inputs.state === undefined ? undefined : resolve(host.cwd, inputs.state);
    const found = await preflight(aws.cloud, wanted, await survey(aws.cloud, wanted));
    const parents =
      wanted.upload === 's3'
        ? wholeDisks(found)
        : await findParents(found, homeOf(wanted), disks, { cloud: aws.cloud, places, log: host.log, folder });
    const plan = makePlan(parents.survey, wanted, clock.now());
    const { openPermissionProbe } = await import('../aws/permission-probe.ts');
    await checkPermissions(plan, aws.cloud, openPermissionProbe(aws.world, clock), inputs.smokeTestSubnet);
    if (inputs.dryRun) return { kind: 'plan', plan };
    return await carryOut(plan, { inputs, host, clock, aws, disks, parents, folder });
  } finally {
    await close();
  }
}

const noRegion = (): UserError =>
  new UserError('input', 'no region to deploy to', {
    hint: 'Name at least one with --region, such as eu-central-1; in a workflow it is the input `regions`.',
  });

interface Run {
  readonly inputs: DeployAmiInputs;
  readonly host: Host;
  readonly clock: Clock;
  readonly aws: AmiWorld;
  readonly disks: readonly AmiDisk[];
  readonly parents: FoundParents;
  readonly folder: string | undefined;
}

const MINUTE = 60_000;

async function carryOut(plan: AmiPlan, { inputs, host, clock, aws, disks, parents, folder }: Run): Promise<AmiResult> {
  const { log, signal } = host;
  // That there is nothing to do is the result.
  if (plan.steps.length > 0) for (const line of amiPlanText(plan).trimEnd().split('\n')) log.info(line);
  // Everything that can be wrong with a disk is found before the first thing is made.
  for (const disk of disks) if (isUploaded(plan, disk)) await disk.file();
  const run = runName(host, clock);
  const sent: SentDisk[] = [];
  // A run that has nothing to do leaves no file.
  const given = inputs.journal ?? (plan.steps.length > 0 ? journalName(host, clock) : undefined);
  const { journal, path, close } = await openDeployJournal(given, host.cwd, clock);
  const kept = keepArtifacts(plan, host);
  try {
    const deployed = await deploy(plan, {
      ...{ cloud: aws.cloud, clock, log, signal, journal, run },
      smokeTest: (region, imageId, { system }, stop) =>
        smokeTest(
          { region, imageId, system },
          { cloud: aws.cloud, clock, log, signal: stop, run, ...smokeSettings(inputs) },
        ),
      patience: inputs.patience * MINUTE,
      upload: amiUpload({
        ...{ ...aws, host, clock, disks, parents, folder },
        onUploaded: ({ region, disk: { image, system } }, uploaded) =>
          sent.push({ image, system, region, ...uploaded }),
      }),
      ...amiImports({ world: aws.world, host, clock, inputs, account: plan.account }, disks),
    });
    const isPublished = deployed.outcome === 'published' || deployed.outcome === 'unfinished';
    const manifest = isPublished ? manifestOf(plan, deployed, { run, now: clock.now() }) : undefined;
    const manifestPath = manifest && (await writeManifest(manifest, inputs.manifest, host));
    if (manifestPath !== undefined) await kept.manifest(manifestPath);
    const { undone } = undoneOf(journal.entries, deployed.left);
    return { kind: 'deploy', plan, deployed, manifest, sent, undone, files: { journal: path, manifest: manifestPath } };
  } finally {
    await close();
    if (path !== undefined) await kept.journal(path);
  }
}

const smokeSettings = ({ smokeTestMinutes, smokeTestMarker, smokeTestSubnet }: DeployAmiInputs) => ({
  limit: smokeTestMinutes * MINUTE,
  marker: smokeTestMarker,
  subnet: smokeTestSubnet,
});

const isUploaded = ({ steps, wanted }: AmiPlan, { image, system }: AmiDisk): boolean =>
  steps.some(({ kind, disk }) => {
    const of = wanted.disks[disk];
    return kind === 'snapshot' && of?.image === image && of.system === system;
  });

/** Names the run in tags; another attempt is another run, for what this one has begun may have been taken back. */
function runName(host: Host, clock: Clock): string {
  const run = runOf(host);
  if (run === undefined) return `terminal ${new Date(clock.now()).toISOString()}`;
  return `${run.source}/actions/runs/${run.id}/attempts/${host.env('GITHUB_RUN_ATTEMPT') ?? '1'}`;
}

/** In a job beside the files of other steps, where a later step may find it whatever became of this one. */
function journalName({ kind, env }: Host, clock: Clock): string {
  // Several may begin within a second.
  const name = `deploy-ami-${timeName(clock.now())}-${randomBytes(2).toString('hex')}.jsonl`;
  const temp = env('RUNNER_TEMP');
  return kind === 'runner' && temp !== undefined ? resolve(temp, name) : name;
}

async function writeManifest(
  manifest: AmiManifest,
  given: string | undefined,
  host: Host,
): Promise<string | undefined> {
  if (given === undefined && host.kind === 'terminal') return undefined;
  const path = given === undefined ? resolve(await host.tempDir(), 'amis.json') : resolve(host.cwd, given);
  await withFileErrors(path, 'write', () => writeFile(path, manifestText(manifest)));
  return path;
}

async function undoRun(file: string, inputs: DeployAmiInputs, host: Host, clock: Clock): Promise<AmiResult> {
  const given = resolve(host.cwd, file);
  const entries = readJournal(await withFileErrors(given, 'read', () => readFile(given, 'utf8')));
  const begun = entries.flatMap((entry) => (entry.event === 'begin' ? entry : []));
  const home = begun.flatMap(({ regions }) => regions)[0];
  if (home === undefined) throw noRegion();
  checkUpload(inputs);
  if (inputs.upload !== 's3' && begun.some(({ upload }) => upload === 's3')) {
    throw new UserError(
      'input',
      `the deployment of ${file} uploaded by way of S3, and what that left is in its bucket`,
      {
        hint: 'Add --upload s3 and the --upload-bucket that the deployment had.',
      },
    );
  }
  const { cloud, world } = await openAmiCloud(home, inputs, host, clock);
  const name = inputs.journal ?? `${given}.undo-${timeName(clock.now())}`;
  const { journal, path, close } = await openDeployJournal(name, host.cwd, clock);
  try {
    const account = begun[0]?.account ?? '';
    const discardUpload = amiImports({ world, host, clock, inputs, account }, [])?.discardUpload;
    const left = await undoJournal(entries, { cloud, clock, log: host.log, journal, discardUpload });
    return { kind: 'undo', journal: path, ...undoneOf(journal.entries, left), left };
  } finally {
    await close();
  }
}
