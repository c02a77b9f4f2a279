import { join } from 'node:path';
import { expect } from 'vitest';
import type { Cloud } from '../../emulators/aws/cloud/emulator.ts';
import { inRegions } from './deploy-kit.ts';

const REGIONS = ['us-east-1', 'eu-central-1', 'ap-south-1'];

/** Words of a deployment of the two disks in a folder to three regions. */
export const threeRegions = (folder: string): string[] => [
  ...[`x86_64-linux=${join(folder, 'x64.raw')}`, `aarch64-linux=${join(folder, 'arm64.raw')}`],
  ...inRegions(REGIONS),
  ...['--image', 'server', '--ami-version', '1.0', '--public', '--deprecate-after', '90d'],
  ...['--parameter', '/images/{image}/{arch}/latest'],
];

/** Both systems are public in all regions, and nothing else is there. */
export function expectAll(cloud: Cloud): void {
  const { images, snapshots, parameters, copies } = cloud.contents();
  expect(images.map(({ isPublic, state }) => [isPublic, state])).toEqual(Array(6).fill([true, 'available']));
  expect(snapshots.map(({ isPublic, state }) => [isPublic, state])).toEqual(Array(6).fill([true, 'completed']));
  expect(new Set(parameters.map(({ value }) => value))).toEqual(new Set(images.map(({ id }) => id)));
  expect(copies).toEqual([]);
  expect(cloud.violations).toEqual([]);
}
