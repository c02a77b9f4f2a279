import { expect, it, onTestFinished } from 'vitest';
import { type EmulatorOptions, startEmulator } from '../../emulators/registry/emulator.ts';
import { runCli } from '../../support/cli.ts';
import { open } from '../storage/bench.ts';
import { CREATED, putAttested, SBOM, SIGNATURE } from './kit.ts';

const inspect = async (options: EmulatorOptions, ...args: string[]) => {
  const registry = await startEmulator(options);
  onTestFinished(() => registry.stop());
  const signed = await putAttested(open(`${registry.host}/app`), 'v1');
  const run = async (...more: string[]) => {
    const { exitCode, stdout, stderr } = await runCli(['inspect', `${registry.host}/app:v1`, ...args, ...more]);
    expect(exitCode, stderr).toBe(0);
    return { stdout, stderr };
  };
  return { signed, run, registry };
};

it('what refers to an index and to its platforms is shown, by OCI 1.1 and by tags of cosign’s', async () => {
  const { signed, run } = await inspect({ referrersPerPage: 1 });
  const { referrers } = JSON.parse((await run('--json')).stdout);
  const { index, amd64, arm64, attestation, sbom, signature, sig, att } = signed;
  expect(referrers).toMatchObject([
    { subject: index.digest, digest: signature.digest, artifactType: SIGNATURE, created: Object.values(CREATED)[0] },
    { subject: index.digest, digest: sig.digest, tag: Object.keys(signed.tags)[0] },
    { subject: amd64.digest, digest: attestation.digest, created: null },
    { subject: amd64.digest, digest: att.digest, artifactType: 'application/vnd.dsse.envelope.v1+json' },
    {
      subject: arm64.digest,
      digest: sbom.digest,
      artifactType: SBOM,
      size: 'sbom of app'.length,
      annotations: CREATED,
    },
  ]);
  const { stdout } = await run();
  expect(stdout).toContain('\nreferrers\n');
  expect(stdout).toMatch(/application\/spdx\+json +sha256:[0-9a-f]{12} +11 B +linux\/arm64 +2026-01-02T03:04:05Z/);
});

it('one type of it can be chosen, or nothing of it', async () => {
  const { signed, run, registry } = await inspect({ referrersPerPage: 9, referrers: { noFilter: true } });
  const { referrers } = JSON.parse((await run('--json', '--artifact-type', SBOM)).stdout);
  expect(referrers.map(({ digest }: { digest: string }) => digest)).toEqual([signed.sbom.digest]);
  const before = registry.requests.length;
  expect(JSON.parse((await run('--json', '--no-referrers')).stdout).referrers).toBeNull();
  expect(
    registry
      .trace()
      .slice(before)
      .filter((line) => /referrers|sha256-/.test(line)),
  ).toEqual([]);
});

it('a registry that cannot tell leaves the image itself to be shown', async () => {
  const { run, registry } = await inspect({ referrersPerPage: 9 });
  registry.inject({ kind: 'status', status: 403, method: 'GET', path: /referrers/, times: 99 });
  const { stdout, stderr } = await run('--json');
  expect(JSON.parse(stdout)).toMatchObject({ referrers: null, images: [{}, {}] });
  expect(stderr).toContain('cannot read what refers to the image');
});
