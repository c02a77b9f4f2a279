import { describe, expect, test } from 'vitest';
import { imageTestsSchema, stepsOf, type TestStep } from '../../../src/definition/image-tests.ts';
import { commandLine, createArgs, onlyLooks, runArgs, typed } from '../../../src/test-run/container-args.ts';
import type { Program, Runtime } from '../../../src/test-run/runtime.ts';

const stated = (test: object): TestStep => stepsOf(imageTestsSchema.parse({ one: test }).one as never)[0] as TestStep;

const plan = {
  container: 'c',
  volumes: 'v',
  image: 'localhost/i:1',
  platform: { os: 'linux', architecture: 'arm64' },
} as const;
const runtime = (network?: string, program: Program = 'podman'): Runtime => ({
  program,
  label: 'podman 5',
  network,
  userNamespace: ['--uidmap=0:9:9'],
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

describe('what a container may do and has', () => {
  test.each<[string, object, string[], string[]]>([
    ['a read-only root, all of it', { readOnly: true }, ['--read-only', '--read-only-tmpfs=false'], ['--read-only']],
    [
      'capabilities',
      { capabilities: { drop: ['ALL'], add: ['cap_chown'] } },
      ['--cap-drop=ALL', '--cap-add=cap_chown'],
      ['--cap-drop=ALL', '--cap-add=cap_chown'],
    ],
    [
      'no new privileges',
      { noNewPrivileges: true },
      ['--security-opt=no-new-privileges'],
      ['--security-opt=no-new-privileges'],
    ],
    ['a user namespace', { userNamespace: true }, ['--uidmap=0:9:9'], ['--uidmap=0:9:9']],
    [
      'a tmpfs, empty',
      { tmpfs: { '/tmp': {}, '/run': { mode: '0755', exec: true } } },
      [
        '--tmpfs=/tmp:rw,nosuid,nodev,noexec,mode=1777,notmpcopyup',
        '--tmpfs=/run:rw,nosuid,nodev,exec,mode=0755,notmpcopyup',
      ],
      ['--tmpfs=/tmp:rw,nosuid,nodev,noexec,mode=1777', '--tmpfs=/run:rw,nosuid,nodev,exec,mode=0755'],
    ],
    [
      'volumes',
      { volumes: { '/a': { name: 'x' }, '/b': { name: 'x', copy: true, readOnly: true } } },
      ['--volume=v-x:/a:rw,nocopy', '--volume=v-x:/b:ro'],
      ['--volume=v-x:/a:rw,nocopy', '--volume=v-x:/b:ro'],
    ],
  ])('%s', (_name, test, podman, docker) => {
    const end = ['--network=none', 'localhost/i:1'];
    expect(runArgs(stated(test), runtime(), plan)).toEqual(['run', ...ALWAYS, ...podman, ...end]);
    expect(runArgs(stated(test), runtime(undefined, 'docker'), plan)).toEqual(['run', ...ALWAYS, ...docker, ...end]);
  });
});

test('createArgs starts nothing, and names a program where the image has none', () => {
  const end = ['--network=none', '--entrypoint=/', 'localhost/i:1'];
  expect(createArgs(stated({}), runtime(), plan)).toEqual(['create', ...ALWAYS, ...end]);
  const { volumes } = stated({ volumes: { '/a': { name: 'x' } } });
  const args = createArgs(stated({ volumes }), runtime(), plan);
  expect(args).toEqual(['create', ...ALWAYS, '--volume=v-x:/a:rw,nocopy', ...end]);
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
