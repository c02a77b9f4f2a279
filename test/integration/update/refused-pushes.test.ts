import { expect, test } from 'vitest';
import { BRANCH, scene } from './pull-scene.ts';

// In the words of peter-evans/create-pull-request 1713 and vercel/sandbox 169.
const WORKFLOWS =
  'refusing to allow a GitHub App to create or update workflow `.github/workflows/ci.yml` without `workflows` permission';
const PERSONS =
  'refusing to allow a Personal Access Token to create or update workflow `.github/workflows/ci.yml` without `workflow` scope';
const UNSIGNED = 'Repository rule violations found\n\nCommits must have verified signatures.\n\n';
const OTHER_RULE = 'Repository rule violations found\n\nCannot create ref due to creations being restricted.\n\n';

test.each([
  [
    'create',
    403,
    WORKFLOWS,
    'credentials',
    `cannot create the branch ${BRANCH}: ${WORKFLOWS}`,
    /GitHub App with the permission Workflows: write/,
  ],
  ['create', 403, PERSONS, 'credentials', PERSONS, /scope `workflow`/],
  ['commit', 200, WORKFLOWS, 'credentials', `cannot commit to ${BRANCH}: ${WORKFLOWS}`, /GitHub App with/],
  [
    'create',
    422,
    UNSIGNED,
    'github',
    'Repository rule violations found Commits must have verified signatures',
    /base .* without a signature: sign those, leave the branch out/,
  ],
  [
    'commit',
    200,
    UNSIGNED,
    'github',
    `cannot commit to ${BRANCH}: Repository rule violations found Commits must`,
    /Settings, Rules/,
  ],
  ['create', 422, OTHER_RULE, 'github', 'creations being restricted', /A rule of the repository forbids it: leave/],
] as const)('GitHub refuses to %s (%i, %j): the error says what to do', async (at, status, words, code, message, hint) => {
  const { update, origin, pulls } = await scene({ refusesPushes: { at, status, words } });
  const error = await update('2').catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    ...{ code, message: expect.stringContaining(message), hint: expect.stringMatching(hint) },
    docs: 'rebuild.md#whose-token',
  });
  expect((error as Error).message).not.toMatch(/\n|Request failed|http/);
  expect(pulls.all).toEqual([]);
  expect(origin.branches()).toEqual(['main']);
});

test('a branch that GitHub does not let be moved stays as it was, and nothing is left beside it', async () => {
  const refusesPushes = { at: 'move', status: 200, words: UNSIGNED } as const;
  const { update, origin } = await scene({ refusesPushes });
  await update('2');
  const tip = origin.tip(BRANCH);
  await expect(update('3')).rejects.toMatchObject({
    message: expect.stringContaining(`cannot move the branch ${BRANCH}: Repository rule violations found`),
    hint: expect.stringContaining('leave the branch out of that rule'),
  });
  expect(origin.tip(BRANCH)).toBe(tip);
  expect(origin.branches()).toEqual(['main', BRANCH]);
});
