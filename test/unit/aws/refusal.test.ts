import { expect, test } from 'vitest';
import { callCloud } from '../../../src/aws/cloud-failure.ts';
import { AwsRefusal } from '../../../src/aws/refusal.ts';

/** What a call throws of which AWS's client says this. */
const refusedAfter = (metadata: object | undefined): Promise<unknown> =>
  callCloud({ action: 'ec2:CopyImage', what: 'cannot copy', region: 'eu-central-1' }, () =>
    Promise.reject(Object.assign(new Error('no'), { name: 'UnauthorizedOperation', $metadata: metadata })),
  ).catch((error: unknown) => error);

// Undo waits for what may have been made by a request before, of which no answer came.
test.each([
  [{ attempts: 1, requestId: 'r' }, true],
  [{ attempts: 2, requestId: 'r' }, false],
  [{ attempts: 12 }, false],
  // Refused before it was sent, or by what counts nothing.
  [{}, true],
  [undefined, true],
])('a refusal with %j is the answer to the only request: %j', async (metadata, isFirst) => {
  const error = await refusedAfter(metadata);
  expect(error).toBeInstanceOf(AwsRefusal);
  expect(error).toMatchObject({ isFirst, reason: 'UnauthorizedOperation' });
});
