// A deployment into twelve regions is a thousand requests, each signed by AWS's client and checked against the service models.
import { expect, it } from 'vitest';
import { chancesOf } from '../../../support/chances.ts';
import { allPoints, failAt } from './points.ts';

/** The same point in every run. */
const SEED = 20786;

it('twelve regions, two systems: wherever it fails, everything is public or nothing is left, and the next run ends it', async ({
  annotate,
}) => {
  const points = await allPoints();
  expect(points.length).toBeGreaterThanOrEqual(30);
  const number = Math.floor(chancesOf(SEED)() * points.length);
  const point = points[number];
  if (point === undefined) throw new RangeError('no point');
  await annotate(`point ${number} of ${points.length}: ${point.verb} ${point.nth} in ${point.region}`);
  const { run, plan, clock } = await failAt(point, number);
  expect((await run()).outcome).toBe('published');
  // Reads may be as late as that.
  await clock.sleep(150_000);
  expect((await plan()).steps).toEqual([]);
});

// One of four points at which an AMI that EC2 did not know yet was taken for gone, and stayed.
it('a copy of which the answer is lost and EC2 does not know for minutes is taken back all the same', async () => {
  const { isPublished } = await failAt({ verb: 'ec2:CopyImage', region: 'sa-east-1', nth: 1 }, 14);
  expect(isPublished).toBe(false);
});

// Reads of SSM are late too: at this point a pointer was answered, and not there when it was to go back.
it('a pointer that is not read yet after it was set goes back all the same', async () => {
  const { isPublished } = await failAt({ verb: 'ssm:PutParameter', region: 'eu-north-1', nth: 2 }, 121);
  expect(isPublished).toBe(false);
});
