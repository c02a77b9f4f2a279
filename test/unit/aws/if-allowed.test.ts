import { expect, it } from 'vitest';
import { awsFailure } from '../../../src/aws/failure.ts';
import { ifAllowed } from '../../../src/aws/if-allowed.ts';
import { memoryLog } from '../../support/memory-log.ts';

const named = (name: string, message: string): Error => Object.assign(new Error(message), { name });

/** A look at a repository that ends in an error of AWS's, or of the way there. */
const look = (error: Error, mayCreate: boolean) =>
  ifAllowed('app in ECR', { repository: 'app', mayCreate, settings: undefined }, memoryLog(), async () => {
    throw awsFailure(error, 'ecr:DescribeRepositories', 'cannot look up app');
  });

it.each([
  ['no right', named('AccessDeniedException', 'not authorized')],
  ['no credentials', new Error('Could not load credentials from any providers')],
  // A network of one's own may lead to the registry and not to the interface beside it.
  ['no way there', new TypeError('fetch failed')],
  ['no answer', named('TimeoutError', 'The operation was aborted due to timeout')],
])('who only pushes goes on with %s', async (_name, error) => {
  expect(await look(error, false)).toBeUndefined();
  await expect(look(error, true)).rejects.toMatchObject({ name: 'UserError' });
});

it('what is wrong with the request itself is an error', async () => {
  await expect(look(named('InvalidParameterException', 'no'), false)).rejects.toMatchObject({ code: 'registry' });
});
