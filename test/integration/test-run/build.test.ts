import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCli } from '../../support/cli.ts';
import { type Podman, preparePodman } from '../../support/podman.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { type ProgramResult, runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { expectNothingLeft, failureOf, PASSING, runJob, testedImage } from './kit.ts';

// Tests that a definition declares, run by a real podman in the build job: each loads an image and starts containers.

/** Milliseconds for a build with many tests: each starts a container, on a machine that has other work too. */
const MANY_CONTAINERS = 300_000;

let podman: Podman;
let temp: TempDir;

beforeAll(async () => {
  [podman, temp] = await Promise.all([preparePodman(), uniqueTempDir('testRun')]);
});

afterAll(async () => {
  try {
    await expectNothingLeft(podman);
  } finally {
    await Promise.all([podman?.remove(), temp?.remove()]);
  }
});

interface Build extends ProgramResult {
  /** Where the handover is, if there is one. */
  readonly out: string;
}

interface Change {
  readonly settings?: Readonly<Record<string, string>>;
  readonly system?: string;
  readonly more?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

async function build(
  tests: object,
  { settings = {}, system = 'x86_64-linux', more = [], env }: Change = {},
): Promise<Build> {
  const out = join(temp.path, crypto.randomUUID());
  const words = ['--system', system, '--out', out, ...more];
  return { ...(await runJob({ command: 'build', tests, settings, words, env: env ?? podman.env })), out };
}

/** What a handover's index lists: nothing, where only layers were made, which lie there for the next build. */
async function entriesIn(out: string): Promise<readonly { readonly annotations: Readonly<Record<string, string>> }[]> {
  const text = await readFile(join(out, 'index.json'), 'utf8').catch(() => '{"manifests":[]}');
  return JSON.parse(text).manifests;
}

const handedOver = async (out: string): Promise<boolean> => (await entriesIn(out)).length > 0;

/** What the handover says of the tests. */
async function recordIn(out: string): Promise<unknown> {
  const [entry] = await entriesIn(out);
  return JSON.parse(entry?.annotations['io.nix-images.handover'] ?? '{}').tests;
}

describe('an image that passes', () => {
  test(
    'every kind of test, and the handover says so',
    async () => {
      const { exitCode, stdout, stderr, out } = await build(PASSING, { more: ['--json', '--require-tests'] });
      expect(exitCode, stderr).toBe(0);
      const names = Object.keys(PASSING).sort();
      const { tests } = JSON.parse(stdout);
      expect(tests.runtime).toMatch(/^podman \d/);
      expect(tests.results.map(({ name }: { name: string }) => name)).toEqual(names);
      expect(await recordIn(out)).toEqual({
        runtime: tests.runtime,
        notRun: null,
        passed: names.map((name) => ({ name, milliseconds: expect.any(Number) })),
        skipped: [],
      });
    },
    MANY_CONTAINERS,
  );

  test('by emulation, and with layers of zstd', async () => {
    const tests = {
      runs: { command: ['uname -m'], stdout: { equals: 'aarch64\n' } },
      serves: { port: { number: 8080, path: '/', text: 'hello' } },
    };
    const { exitCode, stdout, stderr } = await build(tests, {
      system: 'aarch64-linux',
      settings: { compression: 'zstd' },
    });
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toMatch(/^tests: 2 of 2 passed, with podman /m);
  });
});

describe('a test that fails says its command, what was expected and what came; nothing is handed over', () => {
  const failing: Readonly<Record<string, { readonly test: object; readonly says: readonly (string | RegExp)[] }>> = {
    code: {
      test: { command: ['echo trouble >&2; exit 3'] },
      says: ["bin/sh -c 'echo trouble >&2; exit 3'", 'expected: exit code 0', 'got:      exit code 3', '    trouble'],
    },
    stdout: {
      test: { command: ['echo one'], stdout: { equals: 'two\n' } },
      says: ['expected: stdout equal to "two\\n"', 'got:      stdout "one\\n"'],
    },
    stderr: {
      test: { command: ['true'], stderr: 'usage' },
      says: ['expected: stderr that contains "usage"', 'got:      an empty stderr'],
    },
    program: {
      test: { entrypoint: ['/nowhere'] },
      says: ['command:  /nowhere', 'exit code 127 (podman: a program was not found)', /no such file/],
    },
    user: { test: { command: ['true'], user: 'nobody-here' }, says: ['exit code', /nobody-here/] },
    missing: {
      test: { files: { '/nowhere': true } },
      says: ['command:  none: the image is only looked into', 'expected: a file /nowhere', 'got:      no such file'],
    },
    present: {
      test: { files: { '/www/link': false } },
      says: ['expected: no file /www/link', 'got:      there is one'],
    },
    mode: {
      test: { files: { '/www/owned': { mode: '0644' } } },
      says: ['expected: /www/owned with mode 0644', 'got:      mode 0640'],
    },
    owner: {
      test: { files: { '/www/owned': { uid: 0 } } },
      says: ['expected: /www/owned of user 0', 'got:      user 7'],
    },
    text: {
      test: { files: { '/www/link': { text: 'bye' } } },
      says: ['expected: text of /www/link that contains "bye"', 'got:      text of /www/link "hello\\n"'],
    },
    status: {
      test: { port: { number: 8080, path: '/nowhere' } },
      says: ['expected: port 8080 to answer GET /nowhere with status 200', 'got:      status 404'],
    },
    'port of nothing': {
      test: { command: ['echo no config; exit 4'], port: 8080 },
      says: ['got:      the end of the command before, with exit code 4', '    no config'],
    },
    'second step': {
      test: { steps: [{ command: ['true'] }, { command: ['exit 5'] }, { command: ['true'] }] },
      says: [/command: .*-c 'exit 5' \(step 2 of 3\)/, 'got:      exit code 5'],
    },
    'read-only': {
      test: { command: ['touch /www/x'], readOnly: true },
      says: ['got:      exit code 1', /Read-only file system/],
    },
  };
  // Each waits for its limit, in which a container starts ten times: they are another build, which runs meanwhile.
  const waiting: typeof failing = {
    port: {
      test: { port: 8081, timeout: 4 },
      says: ['expected: port 8081 to take a connection', /got: .*within 4 s/],
    },
    hang: {
      test: { command: ['trap "" TERM INT; echo still here; while :; do sleep 1; done'], timeout: 4 },
      says: ['expected: an end within 4 s', 'its time limit, so it was ended', '    still here'],
    },
    'late step': {
      test: { steps: [{ command: ['true'] }, { command: ['sleep 60'] }], timeout: 4 },
      says: [/'sleep 60' \(step 2 of 2\)/, 'expected: an end within 4 s'],
    },
    flood: { test: { command: ['yes endless'], timeout: 4 }, says: ['expected: an end within 4 s', '    endless\n'] },
  };
  let built: Build;
  let waited: Build;

  // All in one build: each is in a container of its own, and one that fails does not keep the others from running.
  beforeAll(async () => {
    const testsOf = (all: typeof failing): object =>
      Object.fromEntries(Object.entries(all).map(([name, { test }]) => [name, test]));
    [built, waited] = await Promise.all([
      build({ ...testsOf(failing), passes: PASSING['says so'] }),
      build(testsOf(waiting)),
    ]);
  }, MANY_CONTAINERS);

  test.each([...Object.entries(failing), ...Object.entries(waiting)])('%s', (name, { says }) => {
    const said = failureOf((name in failing ? built : waited).stderr, name);
    for (const part of says) expect(said).toMatch(part);
    // The last lines, not all that came.
    expect(said.length).toBeLessThan(8000);
  });

  test('the build fails, and says how many', async () => {
    expect(built.exitCode).toBe(1);
    expect(built.stderr).toContain(`error: test/tested: ${Object.keys(failing).length} of 15 tests failed`);
    expect(built.stderr).toMatch(/^hint: Nothing was handed over/m);
    expect(built.stderr).not.toMatch(/bug:|^ {4}at /m);
    expect(built.stdout).toContain('not handed over');
    expect(await handedOver(built.out)).toBe(false);
  });
});

describe('where nothing runs containers', () => {
  let env: Readonly<Record<string, string>>;

  beforeAll(async () => {
    // Nix and Node stay, the rest of PATH goes.
    const bin = join(temp.path, 'bin');
    const found = await runProgram('sh', ['-c', 'for name in nix nix-store node; do command -v $name; done']);
    await runProgram('sh', ['-c', 'mkdir "$0" && ln -s "$@" "$0"', bin, ...found.stdout.trim().split('\n')]);
    env = { PATH: bin };
  });

  const tests = { 'says so': PASSING['says so'], fails: { command: ['exit 1'] } };

  test('the build goes on, and says that the tests were not run', async () => {
    const { exitCode, stdout, stderr, out } = await build(tests, { env });
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toContain('podman is not used: cannot run podman: no such program');
    expect(stderr).toMatch(/^warning: .*neither podman nor docker runs containers here/m);
    expect(stdout).toContain('tests: not run (neither podman nor docker runs containers here)');
    expect(await recordIn(out)).toMatchObject({ runtime: null, passed: [], skipped: ['fails', 'says so'] });
  });

  test('it fails when tests are required, and hands nothing over', async () => {
    const { exitCode, stderr, out } = await build(tests, { env, more: ['--require-tests'] });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      'error: the tests of test/tested for x86_64-linux were not run: neither podman nor docker',
    );
    expect(stderr).toMatch(/^hint: Install podman/m);
    expect(await handedOver(out)).toBe(false);
  });

  test('an image that declares none needs nothing', async () => {
    const { exitCode, stdout, stderr } = await build({}, { env, more: ['--require-tests'] });
    expect(exitCode, stderr).toBe(0);
    expect(stdout).not.toContain('tests:');
  });

  test('a program asked for by name is missed', async () => {
    const { exitCode, stderr } = await build(tests, { env, more: ['--test-with', 'docker'] });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('cannot run the tests with docker: cannot run docker');
  });
});

test('tests that are switched off are not run, and that is said', async () => {
  const { exitCode, stdout, out } = await build({ fails: { command: ['exit 1'] } }, { more: ['--test-with', 'none'] });
  expect(exitCode).toBe(0);
  expect(stdout).toContain('tests: not run (they are switched off)');
  expect(await recordIn(out)).toMatchObject({ notRun: 'they are switched off', skipped: ['fails'] });
});

test('Ctrl-C in a test: exit 130, its container and image are gone, nothing is handed over', async () => {
  const out = join(temp.path, crypto.randomUUID());
  const image = await testedImage({
    hangs: { command: ['trap "" TERM INT; while :; do sleep 1; done'], timeout: 600 },
  });
  const run = startCli(['build', ...image, ...ONLY_X86, '--out', out], { env: podman.env });
  const running = async (): Promise<string> =>
    (await podman.run(['ps', '--filter=name=nix-images-test-', '--format={{.Names}}'])).stdout;
  while ((await running()) === '') expect(run.process.exitCode, run.stderr()).toBeNull();
  run.process.kill('SIGINT');
  const { exitCode, stderr } = await run.ended;
  expect(exitCode, stderr).toBe(130);
  expect(stderr).not.toContain('bug:');
  expect(await handedOver(out)).toBe(false);
});
