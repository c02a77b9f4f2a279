import { expect, test } from 'vitest';
import type { StorePathInfo } from '../../../src/definition/closure.ts';
import type { FleetImage } from '../../../src/definition/fleet-plan.ts';
import { planLayers } from '../../../src/definition/layer-plan.ts';
import { BuildRound } from '../../../src/image/build-round.ts';

const path = (name: string, narSize = 1000): StorePathInfo => ({
  path: `/nix/store/${name.padStart(32, '0')}-${name}`,
  narHash: 'sha256-',
  narSize,
  references: [],
});

// Nothing of these tests asks Nix.
const tools = {
  nix: undefined as never,
  gcRootDir: '',
  building: <T>(work: () => Promise<T>): Promise<T> => work(),
};

const shared = [path('a'), path('b'), path('c')];
const imageOf = (name: string): FleetImage => ({ closure: [...shared, path(name)], budget: 2, previous: [] });

const hasIts = (layers: readonly (readonly StorePathInfo[])[], paths: readonly StorePathInfo[]): boolean =>
  layers.some((layer) => layer.length === paths.length && paths.every((info) => layer.includes(info)));

test('members are planned together when all have asked or left, and their common paths are one layer', async () => {
  const round = new BuildRound(3, tools);
  const [one, two, gone] = [round.join(), round.join(), round.join()];
  let isPlanned = false;
  const plans = [one.plan(imageOf('x'), 'alike'), two.plan(imageOf('y'), 'alike')];
  for (const plan of plans) plan.then(() => (isPlanned = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(isPlanned).toBe(false);
  gone.leave();
  gone.leave();
  for (const layers of await Promise.all(plans)) expect(hasIts(layers, shared)).toBe(true);
  // After an upload that was refused, for instance.
  expect(await one.plan(imageOf('x'), 'alike')).toEqual(planLayers(imageOf('x').closure, 2));
});

test('images whose layers differ in other ways are planned apart', async () => {
  const round = new BuildRound(2, tools);
  const [one, two] = [round.join(), round.join()];
  const [layers] = await Promise.all([one.plan(imageOf('x'), 'gzip'), two.plan(imageOf('y'), 'zstd')]);
  expect(layers).toEqual(planLayers(imageOf('x').closure, 2));
});

test('one that cannot be planned fails for those that were planned with it', async () => {
  const round = new BuildRound(2, tools);
  const [one, two] = [round.join(), round.join()];
  const impossible = { ...imageOf('x'), budget: 0 };
  const plans = await Promise.allSettled([one.plan(impossible, ''), two.plan({ ...impossible }, '')]);
  expect(plans.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});
