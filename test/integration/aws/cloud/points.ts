import { expect } from 'vitest';
import type { Deployed } from '../../../../src/ami/deploy.ts';
import type { Cloud } from '../../../emulators/aws/cloud/emulator.ts';
import type { Fault, Harm } from '../../../emulators/aws/cloud/faults.ts';
import { type Deployments, startDeployments } from './deployments.ts';

export const TWELVE = [
  ...['us-east-1', 'us-east-2', 'us-west-1', 'us-west-2', 'ca-central-1', 'sa-east-1'],
  ...['eu-central-1', 'eu-west-1', 'eu-north-1', 'ap-south-1', 'ap-northeast-1', 'ap-southeast-1'],
];

const IMAGES = 2 * TWELVE.length;

/** A change that a deployment asks for: the `nth` of its kind in its region. */
export interface Point {
  readonly verb: string;
  readonly region: string;
  readonly nth: number;
}

const CHANGES =
  /^(?:ebs:|ssm:Put|ec2:(?:Register|Copy|Modify|CreateTags|EnableImageDeprecation|EnableImageDeregistrationProtection))/;

/** All points at which a whole deployment may fail, in their order. */
export async function allPoints(): Promise<Point[]> {
  const { kit, run } = await startDeployments({ lags: 'none' }, TWELVE);
  expect((await run()).outcome).toBe('published');
  const counts = new Map<string, number>();
  return kit.cloud.requests
    .filter(({ verb, outcome }) => CHANGES.test(verb) && outcome === 'done')
    .map(({ verb, region }) => {
      const nth = (counts.get(`${verb} ${region}`) ?? 0) + 1;
      counts.set(`${verb} ${region}`, nth);
      return { verb, region, nth };
    });
}

/** More often than any client tries. */
const TIMES = 20;

const refused = (verb: string): Harm => ({
  kind: 'error',
  code: verb.startsWith('ec2:') ? 'UnauthorizedOperation' : 'AccessDeniedException',
  message: 'injected',
  status: 403,
});

/** How a point fails: refused; or, every third one, done with the answer lost, and refused when it is tried again. */
export function harmAt({ verb }: Point, number: number): Exclude<Fault['harm'], Harm> {
  let isLost = number % 3 === 2;
  return () => {
    if (!isLost) return refused(verb);
    isLost = false;
    return { kind: 'lost' };
  };
}

/** Everything is public, or nothing is left: by what the cloud truly holds. `published` of the two. */
export function allOrNothing(cloud: Cloud, { outcome, left }: Deployed, point: string): boolean {
  const { images, snapshots, parameters, copies, instances } = cloud.contents();
  expect([left, copies, instances], point).toEqual([[], [], []]);
  expect(cloud.violations, point).toEqual([]);
  if (outcome === 'undone') {
    expect([images, snapshots, parameters.filter(({ value }) => value !== undefined)], point).toEqual([[], [], []]);
    return false;
  }
  expect(['published', 'unfinished'], point).toContain(outcome);
  expect(images.filter(({ isPublic, state }) => isPublic && state === 'available').length, point).toBe(IMAGES);
  expect(snapshots.filter(({ isPublic }) => isPublic).length, point).toBe(IMAGES);
  expect(new Set(parameters.map(({ value }) => value)), point).toEqual(new Set(images.map(({ id }) => id)));
  return true;
}

/** A deployment that fails at a point. Tells whether it was published. */
export async function failAt(point: Point, number: number): Promise<Deployments & { readonly isPublished: boolean }> {
  const deployments = await startDeployments({ lags: 'reported', seed: number + 1 }, TWELVE);
  const { kit, run } = deployments;
  const name = `${number}: ${point.verb} ${point.nth} in ${point.region}`;
  const heal = kit.cloud.state.faults.add({ ...point, times: TIMES, harm: harmAt(point, number) });
  const ended = await run();
  heal();
  return { ...deployments, isPublished: allOrNothing(kit.cloud, ended, name) };
}
