import { expect, it } from 'vitest';
import { deploy } from '../../../../src/ami/deploy.ts';
import { DeployJournal } from '../../../../src/ami/journal.ts';
import { makePlan } from '../../../../src/ami/make-plan.ts';
import { preflight } from '../../../../src/ami/preflight.ts';
import { survey } from '../../../../src/ami/survey.ts';
import { parseWanted } from '../../../../src/ami/wanted.ts';
import { openCloud } from '../../../../src/aws/open-cloud.ts';
import type { CloudOptions } from '../../../emulators/aws/cloud/emulator.ts';
import { variablesOf } from '../../../emulators/aws/cloud/identities.ts';
import { chancesOf } from '../../../support/chances.ts';
import { IdleClock } from '../../../support/idle-clock.ts';
import { memoryLog } from '../../../support/memory-log.ts';
import { addSnapshot, startCloudKit } from './kit.ts';

const REGIONS = ['us-east-1', 'sa-east-1', 'eu-central-1', 'ap-south-1'];

const DISK = { image: 'team/server', version: '1.0', dataBytes: 1e9, bytes: 2 * 1024 ** 3 };

const wantedIn = (regions: readonly string[]) =>
  parseWanted({
    disks: [
      { ...DISK, system: 'x86_64-linux', identity: `sha256:${'a'.repeat(64)}` },
      { ...DISK, system: 'aarch64-linux', identity: `sha256:${'b'.repeat(64)}` },
    ],
    regions: { required: regions },
    sharing: { public: true },
    parameters: ['/images/{image}/{arch}/latest'],
    deprecateAfterDays: 90,
    protection: 'on',
  });

/** Deployments by AWS's own clients into the emulated cloud; the uploads are stand-ins. Time goes on when no request is under way. */
async function startDeployments(options: CloudOptions, regions = REGIONS) {
  const wanted = wantedIn(regions);
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
  const plan = async () => {
    const found = await survey(cloud, wanted);
    return makePlan(await preflight(cloud, wanted, found), wanted, clock.now());
  };
  const run = async () =>
    await deploy(await plan(), {
      ...{ cloud, clock, log, signal, run: 'run-1', patience: 3 * 3_600_000, smokeTest: undefined },
      journal: new DeployJournal(
        async () => {},
        () => clock.now(),
      ),
      upload: async ({ region, tags }) => {
        const { id } = addSnapshot(kit, region, { tags: new Map(Object.entries(tags)), startedAt: clock.now() });
        return { snapshotId: id, encrypted: false };
      },
    });
  return { kit, clock, plan, run };
}

// Several hundred requests, each signed by AWS's client and checked against the service model.
it('goes to all regions while reads are late and answers are lost, and the same again changes nothing', async () => {
  const { kit, clock, plan, run } = await startDeployments({ lags: 'reported' });
  kit.cloud.state.faults.add({ verb: 'ec2:RegisterImage', nth: 1, harm: { kind: 'lost' } });
  kit.cloud.state.faults.add({ verb: 'ec2:CopyImage', nth: 5, times: 2, harm: { kind: 'lost' } });
  const { outcome, failure, amis, left } = await run();
  expect(left).toEqual([]);
  expect([outcome, failure]).toEqual(['published', undefined]);
  expect(amis).toHaveLength(8);
  expect(kit.cloud.violations).toEqual([]);
  const { images, parameters, copies } = kit.cloud.contents();
  expect(images).toHaveLength(8);
  for (const image of images)
    expect(image).toMatchObject({ state: 'available', isPublic: true, isDeprecatedLater: true });
  expect(images.every(({ tags }) => tags['nix-images:run'] === 'run-1')).toBe(true);
  expect(new Set(parameters.map(({ value }) => value))).toEqual(new Set(images.map(({ id }) => id)));
  expect(copies).toEqual([]);

  // Reads may be as late as that.
  await clock.sleep(150_000);
  const before = kit.cloud.requests.length;
  expect((await plan()).steps).toEqual([]);
  const again = kit.cloud.requests.slice(before);
  for (const region of REGIONS) expect(again.filter((one) => one.region === region).length).toBeLessThan(10);
});

it('leaves nothing in any region when a copy fails in one', async () => {
  const { kit, run } = await startDeployments({ lags: 'reported' }, REGIONS.slice(0, 3));
  kit.cloud.state.region('eu-central-1').copyFailures.push('Given key ID is not accessible');
  const { outcome, failure, left } = await run();
  expect([outcome, left]).toEqual(['undone', []]);
  expect(failure?.message).toContain('Given key ID is not accessible');
  const { images, snapshots, parameters, copies } = kit.cloud.contents();
  expect([images, snapshots, parameters, copies]).toEqual([[], [], [], []]);
  expect(kit.cloud.violations).toEqual([]);
});
