import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { releaseTree } from '../support/release.ts';
import { ROOT } from '../support/root.ts';
import { type TempDir, uniqueTempDir } from '../support/tools.ts';
import { jobOf, runWorkflow } from './harness/act.ts';
import { forkPullRequest } from './harness/events.ts';
import { writeEmptyImage } from './harness/layout.ts';
import { createLibrary, foreignActions, type Library, nameSiblings } from './harness/library.ts';
import { commitAll } from './harness/repository.ts';

// An assembly takes seconds; beside other tests, many.
vi.setConfig({ testTimeout: 300_000 });

const INSPECT = `on: [push, pull_request]
jobs:
  inspect:
    strategy:
      fail-fast: false
      matrix:
        include:
          - { name: good, runner: ubuntu-latest }
          - { name: missing, runner: ubuntu-24.04-arm }
    runs-on: \${{ matrix.runner }}
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with: { persist-credentials: false }
      - uses: cachix/install-nix-action@630ae543ea3a38a9a4166f03376c02c50f408342 # v31.11.0
      - id: inspect
        uses: org/nix-images/inspect@v1
        with: { reference: 'oci:\${{ env.LAYOUTS }}/\${{ matrix.name }}' }
      - run: echo "digest=<\${{ steps.inspect.outputs.digest }}> node=$(node --version)"
  after:
    needs: inspect
    if: \${{ !cancelled() }}
    runs-on: ubuntu-latest
    steps:
      - env: { RESULT: '\${{ needs.inspect.result }}', FORK: '\${{ github.event.pull_request.head.repo.fork }}' }
        run: echo "inspect=$RESULT fork=<$FORK>"
`;

const WORKFLOW = '.github/workflows/images.yml';

let folder: TempDir;
let release: TempDir;
let library: Library;
let digest: string;

beforeAll(async () => {
  [folder, release] = await Promise.all([uniqueTempDir('e2e'), releaseTree()]);
  digest = await writeEmptyImage(join(folder.path, 'good'));
  library = await createLibrary(release.path, [INSPECT]);
});

afterAll(async () => {
  await library?.remove();
  await release?.remove();
  await folder?.remove();
});

const run = (
  options: { event?: string; payload?: Readonly<Record<string, unknown>>; matrix?: Record<string, string> } = {},
) =>
  runWorkflow({
    library,
    files: { [WORKFLOW]: INSPECT },
    workflow: WORKFLOW,
    env: { LAYOUTS: folder.path },
    ...options,
  });

describe('a workflow that uses an action of the release', () => {
  test('resolves it, gives it its inputs, and has its outputs, failure and summary', async () => {
    const all = await run();
    const good = jobOf(all, 'inspect', { name: 'good' });
    expect(good.result, all.log).toBe('success');
    expect(good.output).toContain(`digest=<${digest}> node=${process.version}`);
    const missing = jobOf(all, 'inspect', { name: 'missing' });
    expect(missing.result).toBe('failure');
    expect(missing.annotations).toContainEqual(
      expect.objectContaining({
        level: 'error',
        title: 'nix-images inspect',
        text: expect.stringContaining('not an OCI image layout'),
      }),
    );
    expect(jobOf(all, 'after').output).toContain('inspect=failure fork=<>');
    expect(all.ok).toBe(false);
  });

  test('runs one job of a matrix alone, as a re-run does', async () => {
    const one = await run({ matrix: { name: 'good' } });
    expect(one.jobs.map(({ id, result }) => [id, result])).toEqual([
      ['inspect', 'success'],
      ['after', 'success'],
    ]);
    expect(one.ok).toBe(true);
  });

  test("sees that a pull request is a fork's", async () => {
    const fork = await run({ event: 'pull_request', payload: forkPullRequest(), matrix: { name: 'good' } });
    expect(jobOf(fork, 'after').output).toContain('fork=<true>');
  });
});

test('the action at the top of the release leads to publish', async () => {
  const text = `on: push\njobs:\n  all:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: org/nix-images@v1\n        with: { from: /nonexistent }\n`;
  const all = await runWorkflow({ library, files: { [WORKFLOW]: text }, workflow: WORKFLOW });
  const { annotations, result } = jobOf(all, 'all');
  expect(result).toBe('failure');
  expect(annotations).toContainEqual(expect.objectContaining({ title: 'nix-images publish' }));
});

test('main used as an action says which reference to use', async () => {
  await using main = await uniqueTempDir('main');

  for (const name of ['actions', 'action.yml', 'package.json']) {
    await cp(join(ROOT, name), join(main.path, name), { recursive: true });
  }
  await commitAll(main.path, 'org/nix-images');
  const uses = ['org/nix-images@v1', 'org/nix-images/actions/build@v1'];
  for (const reference of uses) {
    const text = `on: push\njobs:\n  all:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: ${reference}\n`;
    const repositories = new Map([['org/nix-images@v1', main.path]]);
    const all = await runWorkflow({
      library: { ...library, repositories },
      files: { [WORKFLOW]: text },
      workflow: WORKFLOW,
    });
    const { annotations, result } = jobOf(all, 'all');
    expect(result, all.log).toBe('failure');
    const advice = reference.includes('build') ? 'Use org/nix-images/build@v1' : 'Use org/nix-images@v1';
    expect(annotations.map(({ text: said }) => said).join('\n'), all.log).toContain(advice);
  }
});

test.each([
  ['      - uses: $/build\n', '      - uses: org/nix-images/build@v1\n'],
  ['      uses: "$/publish"\n', '      uses: "org/nix-images/publish@v1"\n'],
  ['uses: $/.github/workflows/.e2e.yml', 'uses: org/nix-images/.github/workflows/.e2e.yml@v1'],
  ['run: echo $/build', 'run: echo $/build'],
])('siblings are named for act: %j', (text, expected) => {
  expect(nameSiblings(text)).toBe(expected);
});

test('third-party actions are found, the own ones are not', () => {
  const text =
    'uses: a/b@c1\n  - uses: "d/e/sub/f@v2" # v2\n- uses: org/nix-images/build@v1\nuses: actions/checkout@x\nuses: ./here';
  expect(foreignActions(text)).toEqual(['a/b@c1', 'd/e@v2', 'actions/checkout@x']);
});
