import { describe, expect, test } from 'vitest';
import { type ImageTest, imageTestsSchema } from '../../../src/image/image-tests.ts';
import { commandLine, createArgs, onlyLooks, runArgs, typed } from '../../../src/trial/container-args.ts';
import type { Runtime } from '../../../src/trial/runtime.ts';

const stated = (test: object): ImageTest => imageTestsSchema.parse({ one: test }).one as ImageTest;

const plan = { container: 'c', image: 'localhost/i:1', platform: { os: 'linux', architecture: 'arm64' } } as const;
const runtime = (network?: string): Runtime => ({
  program: 'podman',
  label: 'podman 5',
  network,
  run: async () => ({ exitCode: 0, stdout: '', stderr: '' }),
});

/** What follows the options that every container has. */
const ALWAYS = [
  ...['--name=c', '--pull=never', '--platform=linux/arm64', '--log-driver=none', '--no-healthcheck'],
  '--stop-timeout=0',
];

describe('runArgs', () => {
  test.each<[string, object, string[]]>([
    ["the image's own command, without a network", {}, ['--network=none', 'localhost/i:1']],
    ['a command', { command: ['a', '-b', '$(c)'] }, ['--network=none', 'localhost/i:1', 'a', '-b', '$(c)']],
    [
      'an entrypoint of several words',
      { entrypoint: ['sh', '-c'], command: ['x'] },
      ['--network=none', '--entrypoint=sh', 'localhost/i:1', '-c', 'x'],
    ],
    [
      'no entrypoint: the command begins with the program',
      { entrypoint: [], command: ['ls', '-l'] },
      ['--network=none', '--entrypoint=ls', 'localhost/i:1', '-l'],
    ],
    [
      'user, folder, variables and input',
      { user: '7:8', workdir: '/w', env: { A: 'b c', B: '' }, stdin: '' },
      ['--network=none', '--interactive', '--user=7:8', '--workdir=/w', '--env=A=b c', '--env=B=', 'localhost/i:1'],
    ],
    [
      'a port, on the loopback address and a free port of the machine',
      { port: { number: 80 } },
      ['--network=bridge', '--publish=127.0.0.1::80/tcp', 'localhost/i:1'],
    ],
  ])('%s', (_name, test, expected) => {
    expect(runArgs(stated(test), runtime('bridge'), plan)).toEqual(['run', ...ALWAYS, ...expected]);
  });

  test("the program's own network, where it knows best", () => {
    const args = runArgs(stated({ port: { number: 80 } }), runtime(), plan);
    expect(args.filter((word) => word.startsWith('--network'))).toEqual([]);
  });
});

test('createArgs starts nothing, and names a program where the image has none', () => {
  expect(createArgs(plan)).toEqual(['create', ...ALWAYS, '--network=none', '--entrypoint=/', 'localhost/i:1']);
});

test.each<[string, object, boolean]>([
  ['files alone', { files: { '/a': { exists: true } } }, true],
  ['files, after a command', { files: { '/a': { exists: true } }, command: ['x'] }, false],
  ['files, while a port is asked', { files: { '/a': { exists: true } }, port: { number: 1 } }, false],
  ["files, after the image's own command ended so", { files: { '/a': { exists: true } }, exitCode: 1 }, false],
  ["nothing: the image's own command must end well", {}, false],
])('onlyLooks: %s', (_name, test, expected) => {
  expect(onlyLooks(stated(test))).toBe(expected);
});

test.each<[string, object, string]>([
  ["the image's own words", {}, 'sh -c x'],
  ['a command', { command: ['y z'] }, "sh -c 'y z'"],
  ['an entrypoint', { entrypoint: ['ls'] }, 'ls'],
  ['no entrypoint', { entrypoint: [], command: ['echo', "it's"] }, "echo 'it'\\''s'"],
])('the command as it is typed: %s', (_name, test, expected) => {
  expect(typed(commandLine(stated(test), { Entrypoint: ['sh', '-c'], Cmd: ['x'] }))).toBe(expected);
});
