import { describe, expect, test } from 'vitest';
import { UserError } from '../../../src/core/error.ts';
import type { Command } from '../../../src/host/command.ts';
import { createMask } from '../../../src/host/mask.ts';
import { actionOf, fitSummary, readInputs, runAction } from '../../../src/host/runner.ts';
import { createRunnerLog, type Toolkit, withoutCommands } from '../../../src/host/runner-log.ts';
import type { World } from '../../../src/host/world.ts';
import { everything, testCommands } from './commands.ts';

/** Stands for `@actions/core` and writes down what it is told. */
const createToolkit = (summaryError?: Error) => {
  const calls: string[] = [];
  const note =
    (name: string) =>
    (...values: unknown[]) =>
      void calls.push(
        [name, ...values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))].join(' '),
      );
  const toolkit: Toolkit = {
    debug: note('debug'),
    info: note('info'),
    warning: note('warning'),
    error: note('error'),
    startGroup: note('group'),
    endGroup: note('endgroup'),
    setSecret: note('secret'),
    setOutput: note('output'),
    exportVariable: note('variable'),
    saveState: note('state'),
    summary: {
      addRaw: (text) => ({
        write: async () => {
          if (summaryError !== undefined) throw summaryError;
          note('summary')(text);
        },
      }),
    },
  };
  return { calls, toolkit };
};

const worldWith = (variables: Record<string, string>): World => ({
  argv: [],
  cwd: '/',
  environment: variables,
  env: (name) => variables[name] || undefined,
  stdout: { write: (_text, done) => done() },
  stderr: { write: () => {} },
  now: () => 0,
  fetch: globalThis.fetch,
  program: new URL(import.meta.url),
  signal: new AbortController().signal,
});

const run = async (name: string, variables: Record<string, string>, summaryError?: Error, isPost = false) => {
  const { calls, toolkit } = createToolkit(summaryError);
  const exitCode = await runAction(testCommands, { name, isPost }, worldWith(variables), toolkit);
  return { exitCode, calls };
};

describe('a step', () => {
  test('masks first, then logs, sets outputs and writes the summary', async () => {
    const variables = { INPUT_INSTALLABLE: '.#a', 'INPUT_REGISTRY-TOKEN': 'hunter2', 'INPUT_DRY-RUN': 'true' };
    expect(await run('everything', variables)).toEqual({
      exitCode: 0,
      calls: [
        'secret hunter2',
        'debug details 6',
        'info token ***',
        'info built .#a',
        'output index-digest sha256:abc',
        'summary # built .#a\n',
      ],
    });
  });

  test('an output in which a secret stands is set, with a warning that no other job will see it', async () => {
    const { exitCode, calls } = await run('everything', { INPUT_INSTALLABLE: 'a', 'INPUT_REGISTRY-TOKEN': 'sha256' });
    expect(exitCode).toBe(0);
    expect(calls).toContain('output index-digest sha256:abc');
    expect(calls.find((call) => call.startsWith('warning'))).toMatch(/the output index-digest holds .* no other job/);
  });

  test('a summary that cannot be written does not fail it', async () => {
    const { exitCode, calls } = await run('everything', { INPUT_INSTALLABLE: 'a' }, new Error('no file'));
    expect([exitCode, calls.at(-1)]).toEqual([0, 'warning cannot write the job summary: no file']);
  });

  test.each<[string, string, Record<string, string>, string]>([
    [
      'a failure',
      'failing',
      { INPUT_HOW: 'mendable' },
      'the registry refused\ncause: connection refused\ncause: port closed\nhint: Log in.\nSee docs/registries.md#logins',
    ],
    ['a wrong input', 'failing', {}, "input how is missing\nhint: The inputs are described in the action's README.md."],
  ])('%s is one annotation, and stands in the summary', async (_name, name, variables, text) => {
    const { exitCode, calls } = await run(name, variables);
    expect([exitCode, calls[0], calls.length]).toEqual([1, `error ${text} {"title":"nix-images failing"}`, 2]);
    const [, message, hint, see = ''] = /^(.*)[\s\S]*hint: (.*)\n?([\s\S]*)$/.exec(text) ?? [];
    const shown = `### nix-images failing failed\n\n    ${message}\n\nWhat to do:\n\n    ${hint}\n`;
    expect(calls[1]).toBe(`summary ${shown}${see && `\n${see}\n`}`);
  });

  test('a bug shows its stack in the log', async () => {
    const { exitCode, calls } = await run('failing', { INPUT_HOW: 'bug' });
    expect(exitCode).toBe(1);
    expect(calls[0]).toBe('info TypeError: x is not a function');
    expect(calls.at(-2)).toContain('Please report it');
  });

  test.each(['nothing', 'toString'])('the command %s does not exist', async (name) => {
    expect((await run(name, {})).calls.at(-1)).toContain(`unknown command ${name}`);
  });
});

describe('a post step', () => {
  const runPost = (name: string, variables: Record<string, string>) => run(name, variables, undefined, true);

  test('has the inputs of its step, and what the step has saved', async () => {
    expect((await run('leaving', { INPUT_FOLDER: 'x' })).calls).toContain('state place x/1');
    expect(await runPost('leaving', { INPUT_FOLDER: 'x', STATE_place: 'x/1' })).toEqual({
      exitCode: 0,
      calls: ['info cleaned x: x/1', 'summary # x/1'],
    });
    expect((await runPost('leaving', { INPUT_FOLDER: 'x', STATE_place: '' })).calls[0]).toBe('info cleaned x: nothing');
  });

  test.each<[string, string, Record<string, string>]>([
    ['what fails', 'the cache is gone', { INPUT_FOLDER: 'x', STATE_place: 'fail' }],
    ['what failed after the rest', 'not all of it', { INPUT_FOLDER: 'x', STATE_place: 'half' }],
    ['a wrong input', 'input folder is missing', {}],
  ])('%s is a warning and no failed job', async (_name, message, variables) => {
    const { exitCode, calls } = await runPost('leaving', variables);
    expect([exitCode, calls.some((call) => call.startsWith(`warning ${message}`))]).toEqual([0, true]);
    expect(calls.filter((call) => call.startsWith('error'))).toEqual([]);
  });

  test('a command without one says so', async () => {
    expect((await runPost('everything', {})).calls.at(-1)).toContain('the action everything has no post step');
  });
});

test("inputs come from the runner's variables", () => {
  const { env } = worldWith({ INPUT_TO: 'x', 'INPUT_MAX-LAYERS': '3', INPUT_TAG: '', INPUT_MAX_LAYERS: '4' });
  const inputs = readInputs(everything.inputs, env);
  expect(inputs).toMatchObject({ to: 'x', maxLayers: '3', tag: undefined });
});

test.each<[string[], Record<string, string>, ReturnType<typeof actionOf>]>([
  [['--action=build'], { GITHUB_ACTIONS: 'true' }, { name: 'build', isPost: false }],
  [['--post-action=cache'], { GITHUB_ACTIONS: 'true' }, { name: 'cache', isPost: true }],
  [['--action=build'], {}, undefined],
  [['--post-action=cache'], {}, undefined],
  [['build'], { GITHUB_ACTIONS: 'true' }, undefined],
  [[], { GITHUB_ACTIONS: 'true' }, undefined],
])('argv %j with %j is the action %j', (argv, variables, expected) => {
  expect(actionOf({ ...worldWith(variables), argv })).toEqual(expected);
});

test.each([
  ['::error::x', ': :error::x'],
  ['  ::set-output name=a::b', '  : :set-output name=a::b'],
  ['\u00a0::add-mask::x', '\u00a0: :add-mask::x'],
  ['a ::b', 'a ::b'],
  ['x ##[group]y', 'x ## [group]y'],
  [': x', ': x'],
])('a foreign line %j cannot command the runner', (line, expected) => {
  expect(withoutCommands(line)).toBe(expected);
});

describe('the log of a step', () => {
  const open = () => {
    const clock = { time: 0 };
    const { calls, toolkit } = createToolkit();
    return { calls, clock, log: createRunnerLog(toolkit, createMask(), () => clock.time) };
  };

  test('checks every line of a text, whatever ends it', () => {
    const { calls, log } = open();
    log.info('a\n::b::\r::c::\u001b[31m\n\u0085\u2028::d::');
    expect(calls).toEqual(['info a', 'info : :b:: ::c::', 'info   : :d::']);
  });

  test('has one level of groups, closed even on failure', async () => {
    const { calls, log } = open();
    const work = log.group('outer', () =>
      log.group('inner', async () => {
        throw new Error('x');
      }),
    );
    await expect(work).rejects.toThrow('x');
    expect(calls).toEqual(['group outer', 'info inner', 'endgroup']);
  });

  test('reports progress every ten seconds', () => {
    const { calls, clock, log } = open();
    const progress = log.progress('push', 30e6);
    for (let done = 1; done <= 10; done += 1) {
      clock.time += 3000;
      progress.update(done * 3e6);
    }
    progress.end('pushed');
    expect(calls).toEqual([
      'info push 40%, 12.0 MB of 30.0 MB, 1.0 MB/s, 18 s left',
      'info push 80%, 24.0 MB of 30.0 MB, 1.0 MB/s, 6.0 s left',
      'info pushed in 30 s',
    ]);
  });

  test("hides a server's token without a word to the runner, and only one that is long enough", () => {
    const { calls, log } = open();
    log.mask('sha256:0123456789abcdef', 'server');
    log.mask('digest', 'server');
    log.info('digest sha256:0123456789abcdef');
    expect(calls).toEqual(['info digest ***']);
  });

  test('does not mask nothing', () => {
    const { calls, log } = open();
    log.mask(' ');
    log.info('a b');
    expect(calls).toEqual(['info a b']);
  });
});

test('a summary that is too long is cut at a line end, and says so', () => {
  const line = `${'ä'.repeat(500)}\n`;
  const summary = fitSummary(line.repeat(20), 10_000);
  expect(
    summary
      .split('\n')
      .slice(0, -3)
      .every((text) => text === line.trim()),
  ).toBe(true);
  expect(summary).toContain('cut here');
  expect(fitSummary('short', 10_000)).toBe('short');
});

test('what a step did and what failed fit into one summary, for GitHub drops one over 1 MiB whole', async () => {
  const { calls, toolkit } = createToolkit();
  const long = `${'x'.repeat(99)}\n`.repeat(20_000);
  const failure = new UserError('registry', `refused\n${long}`, { hint: 'Ask.' });
  const command: Command = {
    ...everything,
    present: () => ({ outputs: {}, data: null, text: '', summary: long, failure }),
  };
  const world = worldWith({ INPUT_INSTALLABLE: '.#a' });
  const exitCode = await runAction(
    { everything: async () => command },
    { name: 'everything', isPost: false },
    world,
    toolkit,
  );
  expect(exitCode).toBe(1);
  const summaries = calls.filter((call) => call.startsWith('summary '));
  expect(summaries.map((text) => text.includes('_The summary is cut here'))).toEqual([true, true]);
  expect(Buffer.byteLength(summaries.join(''))).toBeLessThanOrEqual(1024 * 1024);
});
