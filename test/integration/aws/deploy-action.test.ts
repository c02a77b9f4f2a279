// One run of the action as a process, which waits a few seconds for what AWS makes ready.
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readAmiManifest } from '../../../src/ami/manifest.ts';
import { formatHandoverName } from '../../../src/github/handover-name.ts';
import { writeHandover } from '../../../src/handover/handover.ts';
import type { HandoverLabel } from '../../../src/handover/label.ts';
import { openRepository } from '../../../src/storage/open.ts';
import { NO_TESTS } from '../../../src/test-run/test-run.ts';
import { startCloud } from '../../emulators/aws/cloud/emulator.ts';
import { SUBJECT, startIssuer } from '../../emulators/oidc/issuer.ts';
import { type ResultsEmulator, startResults } from '../../emulators/results/emulator.ts';
import { runStep } from '../../support/action.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { uefiDisk } from '../../support/uefi-disk.ts';
import { becomeJob } from '../github/kit.ts';
import { testDeps } from '../storage/kit.ts';
import { storeDisk } from './deploy-kit.ts';

const ROLE = 'arn:aws:iam::123456789012:role/amis';
/** Nobody trusts that it is assumed. */
const OTHER = 'arn:aws:iam::123456789012:role/other';
const GOV = 'arn:aws-us-gov:iam::123456789013:role/amis';

/** Hands a disk over as a build job of the same run does. */
async function handOver(disk: string, results: ResultsEmulator, folder: string): Promise<void> {
  const path = join(folder, 'handover.tar');
  const archive = openRepository({ kind: 'oci-archive', path }, testDeps());
  const label: HandoverLabel = {
    ...{ version: 1, name: 'team/server', tag: null, kind: 'disk', system: 'x86_64-linux' },
    ...{ systems: ['x86_64-linux'], mode: 'artifact', destination: null, call: null, tests: NO_TESTS },
    run: { id: '7', attempt: 1, job: 'build' },
  };
  await writeHandover(archive, await storeDisk(archive, disk, label.system), label);
  await archive.close();
  const name = formatHandoverName({ image: label.name, system: label.system, attempt: 1 });
  await becomeJob(results, { run: 7, job: 'build' }).artifacts.upload(name, path, { retentionDays: 1 });
}

/** How much faster than the machine's the cloud's time is. */
const SPEED = 120;

test('the action deploys as the role of the partition, by the ID token of the job, and leaves manifest and journal as artifacts', async () => {
  const [issuer, results, temp] = await Promise.all([startIssuer(), startResults(), uniqueTempDir('ami-action')]);
  const begin = Date.now();
  const cloud = await startCloud({
    ...{ lags: 'none', keepsBlocks: true, verifyIdToken: (token) => issuer.verify(token) },
    now: () => begin + (Date.now() - begin) * SPEED,
  });
  onTestFinished(async () => {
    await Promise.all([issuer.stop(), results.stop(), temp.remove(), cloud.stop()]);
  });
  const disk = join(temp.path, 'server.raw');
  await uefiDisk(disk);
  const step = async (roles: readonly string[], disks?: string) =>
    await runStep('deploy-ami', {
      ...{ results, job: { run: 7, job: 'amis' }, temp: temp.path },
      with: {
        ...{ regions: 'eu-central-1', 'aws-role': roles.join('\n'), accounts: '123456789012' },
        ...(disks === undefined ? {} : { disks }),
      },
      env: {
        ...issuer.environment,
        ...{ AWS_ENDPOINT_URL: cloud.url, AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' },
        ...{ GITHUB_JOB: 'amis', GITHUB_SHA: 'c0ffee0123456789', GITHUB_SERVER_URL: 'https://github.com' },
      },
    });
  const refused = await step([GOV, OTHER], disk);
  expect([refused.exitCode, refused.log]).toEqual([1, expect.stringContaining(`cannot assume ${OTHER}`)]);
  expect(refused.log).toContain('"Action":"sts:AssumeRoleWithWebIdentity"');
  expect(cloud.contents()).toMatchObject({ images: [], snapshots: [] });
  cloud.state.roles.set(ROLE, { trustsToken: ({ sub }) => sub === SUBJECT });
  // What the build jobs of the run have handed over, since nothing is named.
  await handOver(disk, results, temp.path);
  const { exitCode, log, outputs, summary } = await step([GOV, ROLE]);
  expect([exitCode, exitCode === 0 ? '' : log]).toEqual([0, '']);
  // One session for all clients.
  expect(
    cloud.requests.filter(({ verb, outcome }) => verb === 'sts:AssumeRoleWithWebIdentity' && outcome === 'done'),
  ).toHaveLength(1);
  const [image] = cloud.contents().images;
  expect(JSON.parse(outputs.amis ?? '')).toEqual({ 'eu-central-1': { 'x86_64-linux': image?.id } });
  expect(outputs).toMatchObject({ changed: 'true', 'failed-regions': '' });
  expect(readAmiManifest(outputs.json ?? '', 'json').amis).toMatchObject([
    { id: image?.id, image: 'team/server', version: 'c0ffee012345' },
  ]);
  expect(summary).toContain(image?.id);
  expect(image?.tags['nix-images:run']).toMatch(/^https:\/\/github\.com\/.*\/actions\/runs\/7\/attempts\/1$/);
  for (const token of issuer.tokens) expect(log.replace(/^::add-mask::.*$/gm, '')).not.toContain(token);
  const kept = results.artifacts().map(({ name }) => name);
  expect(kept.filter((name) => name.startsWith('amis-'))).toEqual([
    expect.stringMatching(/^amis-[0-9a-f]{8}-1\.json$/),
    expect.stringMatching(/^amis-[0-9a-f]{8}-1\.journal\.jsonl$/),
  ]);
  expect(cloud.violations).toEqual([]);
});
