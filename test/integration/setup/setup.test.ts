import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { cranePath, runProgram } from '../../support/tools.ts';

const root = dirname(dirname(dirname(import.meta.dirname)));

test('set-up refuses an unknown mode with what it knows', async () => {
  const { exitCode, stderr } = await runProgram('node', [join(root, 'scripts/setup.mjs'), 'everything']);
  expect({ exitCode, stderr }).toEqual({
    exitCode: 2,
    stderr: 'setup: usage: node scripts/setup.mjs demo|test|full|bench\n',
  });
});

test('npm says nothing of the Node that it runs on: what needs a newer one gets it from set-up', async () => {
  // npm hands its own settings down, and `.ci/run` calls it with --silent: what the file says is asked for here.
  const settings = Object.keys(process.env).filter((name) => /^npm_config_/i.test(name));
  const unset = settings.flatMap((name) => ['-u', name]);
  const words = [...unset, 'npm', 'config', 'get', 'loglevel'];
  const { exitCode, stdout } = await runProgram('env', words, { cwd: root });
  expect({ exitCode, stdout: stdout.trim() }).toEqual({ exitCode: 0, stdout: 'error' });
});

test('set-up has built the crane that it pins', async () => {
  const { exitCode, stdout } = await runProgram(cranePath(), ['version']);
  expect({ exitCode, stdout: stdout.trim() }).toEqual({ exitCode: 0, stdout: 'v0.20.0' });
});
