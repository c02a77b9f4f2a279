import { expect, test } from 'vitest';
import { githubError } from '../../../src/github/rest/repository-api.ts';

const { signal } = new AbortController();
const RULE = new Error('Repository rule violations found\n\nCannot create ref due to creations being restricted.\n\n');

test('advice on the branch of an update is given for that alone, not for a tag or a release', () => {
  const asked = { what: 'cannot make it', permission: 'contents: write', signal };
  expect(githubError(RULE, { ...asked, isPush: true })).toMatchObject({
    message: 'cannot make it: Repository rule violations found Cannot create ref due to creations being restricted',
    hint: expect.stringContaining('leave the branch out of that rule'),
    docs: 'rebuild.md#whose-token',
  });
  const { hint, docs } = githubError(RULE, asked);
  expect([hint, docs]).toEqual([expect.not.stringContaining('branch'), undefined]);
});
