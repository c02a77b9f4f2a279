// Each point is a deployment into twelve regions, and taking it back.
import { expect, it } from 'vitest';
import type { CloudRequest } from '../../../emulators/aws/cloud/emulator.ts';
import { allPoints, failAt } from './points.ts';

it('fails at each change of a plan in turn: everything is public, or nothing is left', { timeout: 7_200_000 }, async ({
  annotate,
}) => {
  const points = await allPoints();
  let published = 0;
  for (const [number, point] of points.entries()) {
    const { isPublished, kit } = await failAt(point, number);
    await kit.cloud.stop();
    // It holds the bodies of requests, and the test holds all clouds.
    (kit.cloud.requests as CloudRequest[]).length = 0;
    if (isPublished) published += 1;
  }
  await annotate(`${points.length} points, of which ${published} ended published`);
  expect(points.length).toBeGreaterThan(150);
  expect(points.length - published).toBeGreaterThan(100);
});
