// Twenty runs of the command, each with its requests; the two that fail on the way wait by a clock of their own.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { type DeployKit, inRegions, makeDisks, openDeployKit, startDeployKit, TWELVE } from './deploy-kit.ts';

let disks: TempDir;
/** For all that leaves the cloud as it is. */
let shared: Awaited<ReturnType<typeof openDeployKit>>;
beforeAll(async () => {
  disks = await uniqueTempDir('ami-refused');
  await makeDisks(disks.path);
  await writeFile(join(disks.path, 'text.raw'), 'no disk at all.\n'.repeat(1024));
  shared = await openDeployKit(disks.path);
});
afterAll(async () => {
  await Promise.all([disks.remove(), shared.close()]);
});

const REGIONS = TWELVE.slice(0, 2);

const settingsIn = ({ cloud }: DeployKit, region = REGIONS[1] ?? '') =>
  cloud.state.region(region).settingsOf(cloud.admin.account);

const denying = (kit: DeployKit, ...actions: readonly string[]) => ({
  who: kit.cloud.state.identities.open(
    { account: kit.cloud.admin.account, partition: 'aws', arn: 'arn:aws:iam::123456789012:user/limited' },
    actions,
  ),
});

interface BadInput {
  readonly words?: readonly string[];
  readonly disk?: string;
  readonly regions?: readonly string[];
  readonly before?: (kit: DeployKit) => void;
  /** Actions that the user may not do. */
  readonly denied?: string;
}

const KEY = 'eu-central-1=arn:aws:kms:eu-central-1:123456789012:key/0';

test.each<[string, BadInput, readonly string[]]>([
  ['no region', { regions: [] }, ['no region to deploy to', '--region']],
  ['an unknown region', { regions: ['eu-central-9'] }, ['unknown region eu-central-9', 'eu-central-1']],
  ['a region that is switched off', { regions: [...REGIONS, 'af-south-1'] }, ['does not use af-south-1']],
  ['what is no disk', { disk: 'text.raw' }, ['text.raw is not a disk', 'partition table']],
  ['a file that is not there', { disk: 'absent.raw' }, ['absent.raw', 'no such file']],
  ['a disk of another architecture', { disk: 'aarch64-linux=x64.raw' }, ['BOOTX64.EFI', 'aarch64-linux']],
  ['two disks for one system', { words: ['--image', 'x64', 'changed.raw'] }, ['two disks of x64 for x86_64-linux']],
  ['an account that is not wanted', { words: ['--account', '999999999999'] }, ['123456789012', '999999999999']],
  ['a quota of public AMIs that is reached', { words: ['--public', '--public-quota', '0'] }, ['over the quota of 0']],
  [
    'public AMIs that are blocked',
    { words: ['--public'], before: (kit) => settingsIn(kit).blocksPublicImages.set(true, 0) },
    [`${REGIONS[1]}: block public access`],
  ],
  [
    'an account that encrypts what is to be public',
    {
      words: ['--public'],
      before: (kit) => {
        settingsIn(kit).encryptsByDefault = true;
      },
    },
    [`${REGIONS[1]}: the account encrypts`],
  ],
  ['a key for what is to be public', { words: ['--public', '--kms-key', KEY] }, ['encrypted AMI cannot be public']],
  [
    'a key of another region',
    { words: ['--kms-key', KEY.replace('eu-central-1=', 'us-east-1=')] },
    ['not one of us-east-1'],
  ],
  ['a TPM without UEFI', { words: ['--tpm', '--boot-mode', 'uefi-preferred'] }, ['a TPM needs the boot mode uefi']],
  ['variables of UEFI that are none', { words: ['--uefi-data', 'there.jsonl'] }, ['there.jsonl is not base64']],
  ['a time of copies that EC2 does not know', { words: ['--copy-minutes', '20'] }, ['in steps of 15 minutes']],
  [
    'regions of two partitions',
    { regions: [...REGIONS, 'us-gov-west-1'] },
    ['us-gov-west-1 is in aws-us-gov', 'in a run of its own'],
  ],
  ['keys of another partition', { regions: ['us-gov-west-1'] }, ['who we are in us-gov-west-1', 'GovCloud']],
  ['a receiver that is none', { words: ['--share-with', 'everybody'] }, ['"everybody" is not an account']],
  ['an age that is no number of days', { words: ['--deprecate-after', '5h'] }, ['not a number of days', '90d']],
  [
    'a role that may not register',
    { denied: 'ec2:RegisterImage' },
    ['not allowed are ec2:RegisterImage', '"Action":["ec2:RegisterImage"]'],
  ],
  [
    'a role that may not copy',
    { denied: 'ec2:CopyImage' },
    ['not allowed are ec2:CopyImage', '"Action":["ec2:CopyImage"]'],
  ],
  ['a journal that is there', { words: ['--journal', 'there.jsonl'] }, ['there.jsonl: it already exists']],
])('%s is told before anything is made', async (_name, {
  words = [],
  disk = 'x64.raw',
  regions = REGIONS,
  before,
  denied,
}, said) => {
  const kit = before === undefined ? shared : await startDeployKit(disks.path);
  const earlier = kit.cloud.requests.length;
  await writeFile(join(kit.folder, 'there.jsonl'), '');
  before?.(kit);
  const options = denied === undefined ? {} : denying(kit, denied);
  const [start, file = start] = disk.split('=');
  const path = join(disks.path, file ?? '');
  const more = words.map((word) => (word.endsWith('.raw') ? join(disks.path, word) : word));
  const given = file === start ? path : `${start}=${path}`;
  const { exitCode, stdout, stderr } = await kit.run([given, ...inRegions(regions), ...more], options);
  expect([exitCode === 0, stdout]).toEqual([false, '']);
  for (const text of said) expect(stderr).toContain(text);
  expect(stderr).not.toContain('    at ');
  expect(kit.cloud.contents()).toMatchObject({ images: [], snapshots: [], parameters: [] });
  // Nothing that changes anything was sent, not even to be refused, but for dry runs.
  const sent = kit.cloud.requests
    .slice(earlier)
    .filter(({ verb, input }) => !/:(?:Describe|Get)/.test(verb) && input.DryRun !== true);
  expect(sent).toEqual([]);
});

test('a failure on the way names step, region, code and request, and what was taken back; the next run does it all', async () => {
  const kit = await startDeployKit(disks.path);
  const [home, other] = REGIONS;
  const heal = kit.cloud.state.faults.add({
    ...{ verb: 'ec2:CopyImage', region: other as string },
    harm: { kind: 'error', code: 'InvalidRequest', message: 'The storage for the ami is not available' },
  });
  const { exitCode, stderr } = await kit.run([kit.disk('x64'), ...inRegions(REGIONS), '--journal', 'j.jsonl']);
  expect(exitCode).toBe(1);
  expect(stderr).toContain(`copy ${other} x64 x86_64-linux: cannot copy ami-`);
  expect(stderr).toContain('InvalidRequest: The storage for the ami is not available (request emulated)');
  expect(stderr).toMatch(new RegExp(`taken back in ${home}: AMI ami-`));
  expect(stderr).toMatch(new RegExp(`taken back in ${home}: snapshot snap-`));
  expect(kit.cloud.contents()).toMatchObject({ images: [], snapshots: [] });
  heal();
  const next = await kit.run([kit.disk('x64'), ...inRegions(REGIONS), '--journal', 'k.jsonl']);
  expect([next.exitCode, next.exitCode === 0 ? '' : next.stderr]).toEqual([0, '']);
  expect(kit.cloud.contents().images).toHaveLength(2);
  expect(kit.cloud.violations).toEqual([]);
});

test('an AMI that does not come up is taken back before it is copied; one that does is published, and its instance is gone', async () => {
  const kit = await startDeployKit(disks.path);
  const words = [kit.disk('x64'), ...inRegions(REGIONS), '--smoke-test', '--journal'];
  kit.cloud.state.console = () => 'Kernel panic - not syncing: no root';
  const broken = await kit.run([...words, 'first.jsonl']);
  expect([broken.exitCode, broken.stderr]).toEqual([
    1,
    expect.stringMatching(/smoke-test eu-central-1 x64 x86_64-linux: ami-\w+ does not come up in eu-central-1/),
  ]);
  expect(kit.count('ec2:CopyImage')).toBe(0);
  expect(kit.cloud.contents()).toMatchObject({ images: [], snapshots: [] });
  kit.cloud.state.console = () => 'server is ready';
  const { exitCode } = await kit.run([...words, 'second.jsonl', '--smoke-test-marker', 'is ready']);
  expect([exitCode, kit.count('ec2:RunInstances'), kit.count('ec2:TerminateInstances')]).toEqual([0, 2, 2]);
  expect(kit.cloud.contents().images).toHaveLength(2);
  // Whether it may start one is tried on what is there before another disk is sent.
  const sent = kit.count('ebs:StartSnapshot');
  const changed = [kit.disk('changed'), '--image', 'x64', ...inRegions(REGIONS), '--smoke-test'];
  const refused = await kit.run(changed, denying(kit, 'ec2:RunInstances'));
  expect([refused.exitCode, kit.count('ebs:StartSnapshot')]).toEqual([1, sent]);
  expect(refused.stderr).toContain('not allowed are ec2:RunInstances');
  expect(kit.cloud.contents().images).toHaveLength(2);
  expect(kit.cloud.violations).toEqual([]);
});

test('where the account may not start snapshots, the error names the way through S3', async () => {
  const kit = await startDeployKit(disks.path);
  const { exitCode, stderr } = await kit.run(
    [kit.disk('x64'), ...inRegions(REGIONS)],
    denying(kit, 'ebs:StartSnapshot'),
  );
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining('--upload s3 --upload-bucket BUCKET')]);
  expect(stderr).toContain('AccessDeniedException');
  expect(kit.cloud.contents()).toMatchObject({ images: [], snapshots: [] });
});

test('what cannot be taken back is listed with commands, and another run takes it back by the journal', async () => {
  const kit = await startDeployKit(disks.path);
  const [home, other] = REGIONS;
  const error = (code: string) => ({ kind: 'error', code, message: code }) as const;
  kit.cloud.state.faults.add({ verb: 'ec2:CopyImage', region: other as string, harm: error('InvalidRequest') });
  const mend = kit.cloud.state.faults.add({ verb: 'ec2:DeregisterImage', harm: error('OperationNotPermitted') });
  const broken = await kit.run([kit.disk('x64'), ...inRegions(REGIONS), '--journal', 'j.jsonl']);
  expect(broken.exitCode).toBe(1);
  const [image] = kit.cloud.contents().images;
  expect(broken.stderr).toContain(`aws ec2 deregister-image --region ${home} --image-id ${image?.id}`);
  expect(broken.stderr).toContain('deploy-ami --undo');
  mend();
  const undone = await kit.run(['--undo', 'j.jsonl']);
  expect([undone.exitCode, undone.stdout]).toEqual([
    0,
    expect.stringContaining(`taken back in ${home}: AMI ${image?.id}`),
  ]);
  expect(kit.cloud.contents()).toMatchObject({ images: [], snapshots: [] });
  const again = await kit.run(['--undo', 'j.jsonl', '--json']);
  expect(again.exitCode, again.stderr).toBe(0);
  const { undone: taken, gone, left } = JSON.parse(again.stdout);
  expect([taken, left]).toEqual([[], []]);
  expect(gone).toContainEqual({ region: home, what: `AMI ${image?.id}` });
  expect((await kit.run(['--undo', join(disks.path, 'text.raw')])).stderr).toContain('line 1 of the journal');
  const journal = await readFile(join(kit.folder, 'j.jsonl'), 'utf8');
  await writeFile(join(kit.folder, 's3.jsonl'), journal.replace('"upload":"ebs-direct"', '"upload":"s3"'));
  const wayless = await kit.run(['--undo', 's3.jsonl']);
  expect([wayless.exitCode, wayless.stderr]).toEqual([2, expect.stringContaining('Add --upload s3')]);
});
