import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { OWN_TRAILER } from '../../../src/update/own-commits.ts';
import type { GitRepository } from '../../emulators/github/git-repository.ts';
import { flakeLock } from '../../unit/update/kit.ts';
import { git } from './kit.ts';
import { BRANCH, scene } from './pull-scene.ts';

/** A commit on the update's branch, by somebody else. */
async function humanCommit({ clone, push }: Awaited<ReturnType<typeof scene>>): Promise<void> {
  await git(clone, ['fetch', '--quiet', 'origin']);
  await git(clone, ['checkout', '--quiet', '-B', 'work', `origin/${BRANCH}`]);
  await writeFile(`${clone}/fix.nix`, '{ }\n');
  await push('Fix the build', BRANCH);
  await git(clone, ['checkout', '--quiet', 'main']);
}

test('a pull request is opened, updated over a base that has moved, and left alone where nothing is new', async () => {
  const { origin, pulls, github, push, clone, update } = await scene();
  await update('2');
  const [pull] = pulls.all;
  expect(pull).toMatchObject({
    head: BRANCH,
    base: 'main',
    title: 'Update nixpkgs',
    labels: ['dependencies'],
    state: 'open',
  });
  expect(pull?.body).toMatch(/approves/);
  const first = origin.tip(BRANCH) ?? '';
  expect(origin.parents(first)).toEqual([origin.tip('main')]);
  expect(origin.message(first)).toContain(
    `nixpkgs: 111111111111 (1970-01-01) → 222222222222 (1970-01-01)\n\n${OWN_TRAILER}`,
  );

  const asked = github.requests.length;
  await update('2');
  expect(origin.tip(BRANCH)).toBe(first);
  expect(github.requests.slice(asked).filter((line) => /git\/refs/.test(line))).toEqual([]);

  await writeFile(`${clone}/README.md`, 'second\n');
  await push('Move main');
  expect((await update('3')).number).toBe(1);
  const second = origin.tip(BRANCH) ?? '';
  expect(origin.parents(second)).toEqual([origin.tip('main')]);
  expect(origin.text('nix/flake.lock', second)).toContain('3'.repeat(40));
  expect(pulls.all.map(({ state, body }) => [state, body.includes('333333333333')])).toEqual([['open', true]]);
  expect(origin.branches()).toEqual(['main', BRANCH]);
});

test("with an App's token, checks start by themselves, so the text says nothing of them", async () => {
  const { pulls, update } = await scene({ login: 'updates[bot]' });
  await update('2');
  await update('3');
  expect(pulls.all.map(({ body }) => body.includes('approves'))).toEqual([false]);
});

test('a branch with a commit of a person is left alone, and the error names the commit', async () => {
  const all = await scene();
  await all.update('2');
  await humanCommit(all);
  const tip = all.origin.tip(BRANCH);
  await expect(all.update('3')).rejects.toThrow(/has commits of others \([0-9a-f]{10} by human, "Fix the build"\)/);
  expect(all.origin.tip(BRANCH)).toBe(tip);
  expect(all.origin.branches()).toEqual(['main', BRANCH]);
});

test('a pull request that changes no image any more is closed with a comment, and the next update opens another', async () => {
  const { update, close, pulls, origin } = await scene();
  expect(await close()).toBeUndefined();
  await update('2');
  expect(await close('flake.lock')).toBe(1);
  expect(pulls.all.map(({ state, comments }) => [state, comments])).toEqual([
    ['closed', [expect.stringMatching(/nothing to merge.*: the newest inputs change no image\. The next update/)]],
  ]);
  expect(await close()).toBeUndefined();
  expect((await update('3')).number).toBe(2);
  expect(origin.text('nix/flake.lock', origin.tip(BRANCH) ?? '')).toContain('3'.repeat(40));
  expect(await close()).toBe(2);
  expect(pulls.all[1]?.comments).toEqual([
    expect.stringContaining('all inputs on <code>main</code> are at their newest'),
  ]);
});

test('one with a commit of a person stays open although it changes no image any more', async () => {
  const all = await scene();
  await all.update('2');
  await humanCommit(all);
  expect(await all.close('flake.lock')).toBeUndefined();
  expect(all.pulls.all.map(({ state, comments }) => [state, comments])).toEqual([['open', []]]);
  expect(all.log.lines.join('\n')).toContain('has commits of others, so it stays open');
});

test('a branch of somebody else by the same name is left alone', async () => {
  const { clone, push, update, origin } = await scene();
  await writeFile(`${clone}/mine.nix`, '{ }\n');
  await git(clone, ['checkout', '--quiet', '-b', 'work']);
  await push('My work', BRANCH);
  await git(clone, ['checkout', '--quiet', 'main']);
  const tip = origin.tip(BRANCH);
  await expect(update('2')).rejects.toThrow('My work');
  expect(origin.tip(BRANCH)).toBe(tip);
});

test('a commit that a person pushes while the branch is moved is not lost', async () => {
  const late: { origin?: GitRepository } = {};
  let pushed = '';
  const beforeMove = () => {
    pushed = late.origin?.commit(BRANCH, 'At the last moment', [], 'human') ?? '';
  };
  const { origin, update } = await scene({ beforeMove });
  late.origin = origin;
  await update('2');
  await expect(update('3')).rejects.toThrow(`cannot move the branch ${BRANCH}`);
  expect(origin.tip(BRANCH)).toBe(pushed);
  expect(origin.branches()).toEqual(['main', BRANCH]);
});

test('where Actions may not open pull requests, the error has the setting and a link, and the branch is there', async () => {
  const { origin, pulls, update } = await scene({ mayOpen: false });
  const error = await update('2').catch((thrown: unknown) => thrown as { message: string; hint: string });
  expect(error).toMatchObject({
    message: expect.stringContaining('not permitted to create or approve pull requests'),
    hint: expect.stringMatching(
      /Allow GitHub Actions.*\n?.*https:\/\/github\.com\/org\/app\/compare\/main\.\.\.nix-images\/update\?expand=1/,
    ),
  });
  expect(pulls.all).toEqual([]);
  expect(origin.branches()).toEqual(['main', BRANCH]);
});

test.each([
  ['contents', { contents: 'read', 'pull-requests': 'write' }, 'contents: write'],
  ['pull requests', { contents: 'write', 'pull-requests': 'read' }, 'pull-requests: write'],
] as const)('a token that may not write %s is told the line to add', async (_name, permissions, line) => {
  const { update } = await scene({ permissions });
  await expect(update('2')).rejects.toMatchObject({
    code: 'credentials',
    hint: expect.stringContaining(`permissions: ${line}`),
  });
});

test('GitHub merges by itself where checks are required, and the result says why it does not where none are', async () => {
  const required = await scene();
  expect(await required.update('2', { autoMerge: 'squash' })).toMatchObject({ merges: true, whyNot: undefined });
  expect(required.pulls.all[0]?.merges).toBe('SQUASH');

  const none = await scene({ hasRequiredChecks: false });
  const { merges, whyNot } = await none.update('2', { autoMerge: 'squash' });
  expect([merges, whyNot]).toEqual([false, 'no check is required for its base, so GitHub has nothing to wait for']);
  expect(none.pulls.open().length).toBe(1);

  const running = await scene({ hasRequiredChecks: false, hasRunningCheck: true });
  expect(await running.update('2', { autoMerge: 'squash' })).toMatchObject({
    merges: false,
    whyNot: expect.stringMatching(/^a check that is not required .* is running/),
  });
});

test('an input that is older than before is for a person to merge', async () => {
  const { update, pulls } = await scene();
  expect(await update('0', { autoMerge: 'merge' })).toMatchObject({
    merges: false,
    whyNot: 'nixpkgs is older than before',
  });
  expect(pulls.all[0]?.merges).toBeUndefined();
});

test('a lock that the base has changed since the checkout is not taken back', async () => {
  const { clone, push, update, origin } = await scene();
  await writeFile(`${clone}/nix/flake.lock`, flakeLock({ nixpkgs: { rev: '9'.repeat(40), time: 9 } }));
  await push('Update by hand');
  await git(clone, ['reset', '--quiet', '--hard', 'HEAD~1']);
  await expect(update('2')).rejects.toThrow('flake.lock on main is not the one that is checked out');
  expect(origin.branches()).toEqual(['main']);
});

test('a checkout with changes, of no branch, or of the update itself is an error', async () => {
  const { clone, update } = await scene();
  await writeFile(`${clone}/nix/flake.lock`, flakeLock({ nixpkgs: { rev: '5'.repeat(40), time: 5 } }));
  await expect(update('2')).rejects.toThrow('flake.lock has changes that are not committed');
  await git(clone, ['checkout', '--quiet', '--force', '--detach']);
  await expect(update('2')).rejects.toThrow('no branch is checked out');
  await git(clone, ['checkout', '--quiet', '-b', BRANCH]);
  await expect(update('2')).rejects.toThrow('is the branch of the update itself');
  await git(clone, ['checkout', '--quiet', 'main']);
  await expect(update('2', { base: 'other' })).rejects.toThrow('org/app does not have the branch other');
});
