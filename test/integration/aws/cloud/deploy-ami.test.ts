import { expect, it } from 'vitest';
import { startDeployments } from './deployments.ts';

const REGIONS = ['us-east-1', 'sa-east-1', 'eu-central-1', 'ap-south-1'];

// Several hundred requests, each signed by AWS's client and checked against the service model.
it('goes to all regions while reads are late and answers are lost, and the same again changes nothing', async () => {
  const { kit, clock, plan, run } = await startDeployments({ lags: 'reported' }, REGIONS);
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
