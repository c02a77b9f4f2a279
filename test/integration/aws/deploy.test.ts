// Deploys to twelve regions several times, hundreds of requests each, signed by AWS's clients and checked against the service models.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AmiManifest, readAmiManifest } from '../../../src/ami/manifest.ts';
import { writeHandover } from '../../../src/handover/handover.ts';
import type { HandoverLabel } from '../../../src/handover/label.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { openRepository } from '../../../src/storage/open.ts';
import { NO_TESTS } from '../../../src/test-run/test-run.ts';
import { throttling } from '../../emulators/aws/cloud/faults.ts';
import { startRegistry } from '../../support/registry.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { putIndex, testDeps } from '../storage/kit.ts';
import {
  CHANGED,
  inRegions,
  journalLines,
  makeDisks,
  publishDisks,
  startDeployKit,
  storeDisk,
  TWELVE,
} from './deploy-kit.ts';

let disks: TempDir;
beforeAll(async () => {
  disks = await uniqueTempDir('ami-disks');
  await makeDisks(disks.path);
});
afterAll(() => disks.remove());

const SETTINGS = [
  '--image',
  'server',
  '--public',
  '--parameter',
  '/images/{image}/{arch}/stable',
  '--deprecate-after',
  '90d',
];

interface DeployData {
  readonly outcome: string;
  readonly sent: readonly { readonly system: string; readonly sent: number; readonly skippedEqual: number }[];
  readonly journal: string;
  readonly manifest: AmiManifest;
}

const dataOf = ({ exitCode, stdout, stderr }: { exitCode: number; stdout: string; stderr: string }): DeployData => {
  expect([exitCode, exitCode === 0 ? '' : stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
};

test('two systems go to twelve regions, the same again does nothing, and a changed disk sends what has changed', async () => {
  const kit = await startDeployKit(disks.path);
  const { cloud } = kit;
  const both = [kit.disk('x64'), kit.disk('arm64'), ...inRegions(TWELVE), ...SETTINGS, '--state', '.'];
  const words = [...both, '--ami-version', '1.0', '--json'];

  const planned = await kit.run([...words, '--dry-run']);
  const plan = JSON.parse(planned.stdout);
  expect(plan).toMatchObject({ schemaVersion: 1, kind: 'plan', home: 'eu-central-1', existing: [] });
  expect(cloud.contents()).toMatchObject({ images: [], snapshots: [], parameters: [] });

  const first = dataOf(await kit.run([...words, '--manifest', 'amis.json']));
  expect(first.outcome).toBe('published');
  const { images, parameters, snapshots } = cloud.contents();
  expect([images.length, snapshots.length, parameters.length]).toEqual([24, 24, 24]);
  for (const image of images)
    expect(image).toMatchObject({ state: 'available', isPublic: true, isDeprecatedLater: true });
  expect(new Set(parameters.map(({ value }) => value))).toEqual(new Set(images.map(({ id }) => id)));
  const sent = first.sent.map((one) => one.sent);
  expect(kit.count('ebs:PutSnapshotBlock')).toBe((sent[0] ?? 0) + (sent[1] ?? 0));
  // Exactly the steps that were shown.
  const done = (await journalLines(first.journal)).filter(({ event }) => event === 'after').map(({ step }) => step);
  expect(new Set(done)).toEqual(new Set(plan.steps.map(({ id }: { id: string }) => id)));
  const manifest = readAmiManifest(await readFile(join(kit.folder, 'amis.json'), 'utf8'), 'amis.json');
  expect(manifest.amis.map(({ id }) => id).sort()).toEqual(images.map(({ id }) => id).sort());
  expect(new Set(manifest.amis.map(({ snapshot }) => snapshot))).toEqual(new Set(snapshots.map(({ id }) => id)));

  const before = cloud.requests.length;
  const again = dataOf(await kit.run(words));
  expect([again.outcome, again.sent]).toEqual(['published', []]);
  const asked = cloud.requests.slice(before);
  for (const region of TWELVE) expect(asked.filter((one) => one.region === region).length).toBeLessThan(10);
  expect(asked.filter(({ verb }) => !/:(?:Describe|Get)/.test(verb))).toEqual([]);

  const next = words.map((word) => (word === kit.disk('x64') ? kit.disk('changed') : word === '1.0' ? '1.1' : word));
  const changed = dataOf(await kit.run(next));
  expect(changed.sent).toMatchObject([{ system: 'x86_64-linux', sent: CHANGED }]);
  expect(cloud.contents().images).toHaveLength(36);
  expect(cloud.violations).toEqual([]);
});

test('the list of blocks of a published disk is read from its registry for the next one', async () => {
  const registry = await startRegistry();
  try {
    const kit = await startDeployKit(disks.path);
    const place = `${registry.host}/org/server`;
    const repository = openRepository({ kind: 'registry', reference: parseReference(place) }, testDeps());
    const file = (name: string): string => join(disks.path, `${name}.raw`);
    await publishDisks(repository, [file('x64')], '1.0');
    const regions = inRegions(TWELVE.slice(0, 2));
    dataOf(await kit.run([`${place}:1.0`, ...regions, '--json']));
    const { snapshots, images } = kit.cloud.contents();
    expect(images.map(({ name }) => name.replace(/-[0-9a-f]{12}$/, '')).sort()).toEqual(
      Array(2).fill('server-1.0-x86_64'),
    );
    const home = snapshots.filter(({ region }) => region === TWELVE[0]);
    for (const { tags } of home) expect(tags['nix-images:source']).toMatch(/^docker:\/\/.*@sha256:[0-9a-f]{64}$/);
    await publishDisks(repository, [file('changed')], '1.1');
    const { sent } = dataOf(await kit.run([`${place}:1.1`, ...regions, '--json']));
    expect(sent).toMatchObject([{ system: 'x86_64-linux', sent: CHANGED }]);
    expect(kit.cloud.violations).toEqual([]);
  } finally {
    await registry.stop();
  }
});

test('what build jobs handed over is deployed, and so is a layout, without the images beside it', async () => {
  const kit = await startDeployKit(disks.path);
  const path = join(kit.folder, 'handover');
  const layout = openRepository({ kind: 'oci', path }, testDeps());
  const label: HandoverLabel = {
    ...{
      version: 1,
      name: 'team/server',
      tag: '2.0',
      kind: 'disk',
      system: 'aarch64-linux',
      systems: ['aarch64-linux'],
    },
    ...{ mode: 'artifact', destination: null, run: null, call: null, tests: NO_TESTS },
  };
  await writeHandover(layout, await storeDisk(layout, join(disks.path, 'arm64.raw'), 'aarch64-linux'), label);
  const [home = ''] = TWELVE;
  const handed = dataOf(await kit.run(['--from', 'handover', '--region', home, '--json']));
  expect(handed.manifest.amis).toMatchObject([{ image: 'team/server', version: '2.0', system: 'aarch64-linux' }]);

  const images = openRepository({ kind: 'oci', path: join(kit.folder, 'images') }, testDeps());
  await putIndex(images, 'app');
  await publishDisks(images, [join(disks.path, 'x64.raw')], 'disk');
  const words = ['oci:images:app', 'oci:images:disk', '--region', home, '--json'];
  const mixed = dataOf(await kit.run([...words, '--image', 'other']));
  expect(mixed.manifest.amis).toMatchObject([{ image: 'other', version: 'disk', system: 'x86_64-linux' }]);
  const none = await kit.run(['oci:images:app', '--region', home]);
  expect([none.exitCode, none.stderr]).toEqual([2, expect.stringContaining('nothing of what is given is a disk')]);
  const absent = await kit.run(['oci:images:disk', '--system', 'aarch64-linux', '--region', home]);
  expect(absent.stderr).toContain('has no disk for aarch64-linux, only for linux/amd64');
  expect(kit.cloud.violations).toEqual([]);
});

test('keys, receivers, a TPM, protection, and a region that may fail and does', async () => {
  const kit = await startDeployKit(disks.path);
  const [home = '', other = '', loose = ''] = TWELVE;
  const { cloud } = kit;
  const keyIn = (region: string): string => `arn:aws:kms:${region}:${cloud.admin.account}:key/0-1`;
  for (const region of [home, other]) cloud.state.region(region).kmsKeys.add(keyIn(region));
  cloud.state.region(loose).copyFailures.push('Copy image failed with an internal error');
  const organization = 'arn:aws:organizations::123456789012:organization/o-0123456789';
  const done = dataOf(
    await kit.run([
      ...[kit.disk('x64'), ...inRegions([home, other]), '--best-effort-region', loose, '--json'],
      ...['--kms-key', `${home}=${keyIn(home)}`, '--kms-key', `${other}=${keyIn(other)}`, '--tpm'],
      ...['--share-with', '210987654321', '--share-with', organization, '--protection', 'on'],
    ]),
  );
  expect(done.outcome).toBe('published');
  expect(done.manifest.failedRegions[loose]).toContain('Copy image failed with an internal error');
  const { images, snapshots } = cloud.contents();
  expect(images.map(({ region }) => region).sort()).toEqual([home, other].sort());
  for (const { sharedWith, protection } of images) {
    expect([...sharedWith].sort()).toEqual(['210987654321', organization].sort());
    expect(protection).toBe('enabled');
  }
  for (const { id, region } of snapshots)
    expect(cloud.state.region(region).snapshots.get(id)?.kmsKey).toBe(keyIn(region));
  expect(cloud.violations).toEqual([]);
});

test('variables of UEFI and the time that copies may take get to EC2 in another partition', async () => {
  const kit = await startDeployKit(disks.path);
  const { cloud, folder } = kit;
  const account = '123456789013';
  const who = cloud.state.identities.open({
    ...{ account, partition: 'aws-us-gov', arn: `arn:aws-us-gov:iam::${account}:user/ci` },
  });
  const regions = ['us-gov-west-1', 'us-gov-east-1'];
  // In lines, as tools write it.
  const variables = Buffer.from('AMZNUEFI with keys').toString('base64');
  await writeFile(join(folder, 'variables'), `${variables.slice(0, 10)}\n${variables.slice(10)}\n`);
  const words = [kit.disk('x64'), ...inRegions(regions), '--uefi-data', 'variables', '--copy-minutes', '30', '--json'];
  expect(dataOf(await kit.run(words, { who })).outcome).toBe('published');
  const input = (verb: string) =>
    cloud.requests.filter((one) => one.verb === verb && one.outcome === 'done').map((one) => one.input);
  expect(input('ec2:RegisterImage')).toMatchObject([{ UefiData: variables, BootMode: 'uefi' }]);
  expect(input('ec2:CopyImage')).toMatchObject([{ SnapshotCopyCompletionDurationMinutes: 30 }]);
  expect(
    cloud
      .contents(account)
      .images.map(({ region }) => region)
      .sort(),
  ).toEqual([...regions].sort());
  expect(cloud.contents().images).toEqual([]);
  expect(cloud.violations).toEqual([]);
});

test.each([
  [0.05, 12],
  [0.3, 12],
])('is done although a share of %d of all requests is refused for now', async (share, count) => {
  const kit = await startDeployKit(disks.path);
  kit.cloud.state.faults.add(throttling(share));
  const words = [kit.disk('x64'), ...inRegions(TWELVE.slice(0, count)), ...SETTINGS, '--json'];
  expect(dataOf(await kit.run(words)).outcome).toBe('published');
  expect(kit.cloud.contents().images.filter(({ isPublic }) => isPublic)).toHaveLength(count);
  expect(kit.cloud.requests.some(({ outcome }) => /Throttl|LimitExceeded|Unavailable/.test(outcome))).toBe(true);
  expect(kit.cloud.violations).toEqual([]);
});
