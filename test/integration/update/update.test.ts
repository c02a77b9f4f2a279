import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { OWN_TRAILER } from '../../../src/update/own-commits.ts';
import { git, makeProject, onGitHub, type Project, runUpdate } from './kit.ts';

const json = async (project: Project, args: readonly string[] = []) => {
  const { exitCode, stdout, stderr } = await runUpdate(project, [...args, '--json']);
  if (exitCode !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
};

test('an input that changes an image is written, and what changes in the image is told', async () => {
  const project = await makeProject();
  await project.release({ data: '2' });
  const { stdout, exitCode } = await runUpdate(project, []);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^pins: [0-9a-f]{12} \(\S+\) → [0-9a-f]{12} \(\S+\)$/m);
  expect(stdout).toMatch(/upgraded\n {2}data 1 → 2/);
  expect(stdout).toMatch(/1 image changed/);
  expect(await git(project.folder, ['status', '--porcelain'])).toBe('M flake.lock');

  // What is written already is nothing to do.
  const again = await json(project);
  expect([again.files, again.images]).toEqual([[], []]);
});

test('an input that changes no image is told so, and one that goes back is told as older', async () => {
  const project = await makeProject();
  await project.release();
  const { files, images, changes } = await json(project);
  expect([files, images, changes.length]).toEqual([['flake.lock'], [], 1]);
  await project.rewind();
  expect((await runUpdate(project, [])).stdout).toMatch(/^pins: .*, older than before$/m);
});

test('inputs are named; one that is not there, and a lock in conflict, are errors before anything is done', async () => {
  const project = await makeProject();
  await project.release({ data: '2' });
  const { exitCode, stderr } = await runUpdate(project, ['--input', 'pin']);
  expect([exitCode, stderr]).toEqual([
    2,
    expect.stringMatching(/unknown input "pin": flake.lock does not have it[\s\S]*There are: pins\./),
  ]);
  expect((await json(project, ['--input', 'pins'])).changes).toMatchObject([{ name: 'pins' }]);

  const text = `<<<<<<< HEAD\n${await project.lock()}=======\n{}\n>>>>>>> other\n`;
  await project.write('flake.lock', text);
  const conflict = await runUpdate(project, []);
  expect([conflict.exitCode, conflict.stderr]).toEqual([
    2,
    expect.stringMatching(/marks of a merge[\s\S]*git checkout --ours/),
  ]);
  expect(await project.lock()).toBe(text);
});

test('an update after which nothing evaluates is an error that leaves the lock as it was', async () => {
  const project = await makeProject();
  const before = await project.lock();
  await project.release({ data: `\${throw "broken"}` });
  const { exitCode, stderr } = await runUpdate(project, []);
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining('broken')]);
  expect(await project.lock()).toBe(before);
});

test('an image that does not evaluate any more is told with the reason, and the others go on', async () => {
  const project = await makeProject();
  const text = await readFile(`${project.folder}/flake.nix`, 'utf8');
  const other = 'other = mkImage { name = "other"; copyToRoot = [ (package system "other-1") ]; };';
  await project.write('flake.nix', text.replace('app = mkImage', `${other}\n        app = mkImage`));
  await project.release({ data: `\${throw "it is broken"}` });
  const { exitCode, stdout, stderr } = await runUpdate(project, ['--json']);
  expect(exitCode, stderr).toBe(0);
  expect(JSON.parse(stdout).images).toMatchObject([
    {
      name: 'app',
      isBroken: true,
      notes: expect.arrayContaining([expect.stringMatching(/^Does not evaluate any more: .*it is broken/s)]),
    },
  ]);
});

test('a pull request whose update changes no image any more is closed by the next run', async () => {
  const project = await makeProject();
  const { github, pulls } = await onGitHub(project);
  const head = 'nix-images/update';
  // As an earlier run left it, before its input went back.
  project.origin.create(`refs/heads/${head}`, project.origin.tip('main') ?? '');
  project.origin.commit(head, `Update pins\n\n${OWN_TRAILER}`, [], 'github-actions[bot]');
  const more = { title: 'Update pins', body: '', labels: [], comments: [] };
  pulls.all.push({ number: 1, head, base: 'main', state: 'open', ...more });
  const { stdout, stderr } = await runUpdate(project, ['--pull-request'], { github });
  expect(stdout, stderr).toContain('pull request 1 is closed: it changes no image any more');
  expect(pulls.all.map(({ state }) => state)).toEqual(['closed']);
});

test('a folder without flake and pins is an error that says what it needs', async () => {
  const { exitCode, stderr } = await runUpdate({ folder: import.meta.dirname }, []);
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining('neither flake.nix nor npins/sources.json')]);
});
