import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { releaseTree } from '../../support/release.ts';
import { ROOT } from '../../support/root.ts';
import type { TempDir } from '../../support/tools.ts';
import { actions, runStep } from './kit.ts';

let tree: TempDir;
beforeAll(async () => {
  tree = await releaseTree();
});
afterAll(() => tree?.remove());

const names = await actions();

test('the actions that are promised are there', () => {
  expect(names).toEqual(expect.arrayContaining(['build', 'inspect', 'publish']));
});

/** Without a cache a job only takes longer, so these have nothing to fail for. */
const GOES_ON = new Set(['cache', 'cache-keep']);

test.each(
  names.filter((name) => GOES_ON.has(name)),
)('the action %s goes on where there is no cache, and says so', async (name) => {
  const { exitCode, stdout, stderr } = await runStep(join(tree.path, name, 'main.mjs'), {});
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toContain('cache');
  expect(stdout).not.toMatch(/^::error|^ {4}at /m);
});

const strict = names.filter((name) => !GOES_ON.has(name));

test.each(
  strict,
)('the action %s says what it misses, as an annotation, with a hint and without a stack', async (name) => {
  // Without inputs, `machine` has nothing to complain of.
  const inputs: Record<string, string> = name === 'machine' ? { 'free-space': 'much' } : {};
  const { exitCode, stdout, stderr, output } = await runStep(join(tree.path, name, 'main.mjs'), inputs);
  expect({ exitCode, stderr, output }).toEqual({ exitCode: 1, stderr: '', output: '' });
  expect(stdout).toContain(`::error title=nix-images ${name}::`);
  expect(stdout).toContain('%0Ahint: ');
  expect(stdout).not.toMatch(/^ {4}at /m);
});

describe.each(names)('the action %s of a release', (name) => {
  test('runs on the Node that its action.yml asks for', async () => {
    const text = await readFile(join(tree.path, name, 'action.yml'), 'utf8');
    expect(text).toContain(`using: "node${process.versions.node.split('.')[0]}"`);
    expect(text).toContain('main: "main.mjs"');
  });
});

test('an action takes its inputs and says what is wrong with one, and where more is told of it', async () => {
  const page = 'https://github.com/org/nix-images/blob/HEAD/docs/registries.md#several-at-once';
  const { exitCode, stdout, summary } = await runStep(join(tree.path, 'publish/main.mjs'), {
    to: 'ghcr.io/org/app later',
  });
  expect(exitCode).toBe(1);
  expect(stdout).toContain('the unknown option later');
  expect(stdout).toContain(`%0ASee ${page}`);
  expect(summary.trimEnd().split('\n\n').at(-1)).toBe(`See ${page}`);
});

describe.each([...names, undefined])('main used as the action %s', (name) => {
  const script = name === undefined ? 'actions/dist/index.js' : `actions/${name}/main.mjs`;

  test('refuses, and says which reference to use', async () => {
    const { exitCode, stdout } = await runStep(join(ROOT, script));
    const reference = name === undefined ? 'org/nix-images@v1' : `org/nix-images/${name}@v1`;
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^::error title=nix-images::.*has the source and not the program\./);
    expect(stdout).toContain(`Use ${reference}, or @next`);
  });
});

test("main's own action.yml leads to the refusal", async () => {
  expect(await readFile(join(ROOT, 'action.yml'), 'utf8')).toMatch(
    /^ {2}using: node24\n {2}main: actions\/dist\/index.js$/m,
  );
});
