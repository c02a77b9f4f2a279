import { describe, expect, test } from 'vitest';
import { UserError } from '../../../src/core/error.ts';
import type { Exec, ExecResult } from '../../../src/core/exec.ts';
import { findRuntime } from '../../../src/test-run/find-runtime.ts';
import { memoryLog } from '../../support/memory-log.ts';

const result = (exitCode: number, stdout = '', stderr = ''): ExecResult => ({ exitCode, stdout, stderr });

/** What a program does on a machine, by its first words; `absent` for one that is not there. */
type Machine = Readonly<Record<'podman' | 'docker', Readonly<Record<string, ExecResult>> | 'absent'>>;

const NO_RIGHTS = result(126, '', 'Error: something\nError: OCI permission denied\n');
const works = (label: string): Readonly<Record<string, ExecResult>> => ({
  info: result(0, `${label}\n`),
  version: result(0, `${label}\n`),
  import: result(0),
  run: result(127, '', 'no such file'),
});
const podman = works('5.4.2 true');
const docker = works('28.2.2');
const noDaemon = { version: result(1, '', 'Cannot connect to the Docker daemon\n') };

const machine = (programs: Machine) => {
  const calls: string[] = [];
  const exec: Exec = async (program, args) => {
    const does = programs[program as 'podman' | 'docker'];
    if (does === 'absent') throw new UserError('file', `cannot run ${program}: no such program`);
    const verb = args.find((word) => !word.startsWith('--')) ?? '';
    calls.push(`${program} ${verb}`);
    return does[verb] ?? result(0);
  };
  return { exec, calls, log: memoryLog() };
};

describe('auto', () => {
  test.each<[string, Machine, string | undefined, string | undefined]>([
    ['podman before docker; without root it has a network of its own', { podman, docker }, 'podman 5.4.2', undefined],
    ['podman with root', { podman: works('5.4.2 false'), docker }, 'podman 5.4.2', 'bridge'],
    ['docker, where podman is not there', { podman: 'absent', docker }, 'docker 28.2.2', 'bridge'],
    [
      'docker, where podman starts no container',
      { podman: { ...podman, run: NO_RIGHTS }, docker },
      'docker 28.2.2',
      'bridge',
    ],
    [
      'docker, where podman has no storage',
      { podman: { ...podman, import: result(125, '', 'overlay') }, docker },
      'docker 28.2.2',
      'bridge',
    ],
    ['none, without its daemon', { podman: 'absent', docker: noDaemon }, undefined, undefined],
    ['none, with a version that is none', { podman: works('<b>'), docker: 'absent' }, undefined, undefined],
    ['none', { podman: 'absent', docker: 'absent' }, undefined, undefined],
  ])('takes %s', async (_name, programs, label, network) => {
    const { exec, log } = machine(programs);
    const runtime = await findRuntime('auto', exec, log);
    expect([runtime?.label, runtime?.network]).toEqual([label, network]);
  });

  test.each<[string, Machine, readonly string[] | undefined]>([
    [
      'podman with root makes them',
      { podman: works('5.4.2 false'), docker },
      ['--uidmap=0:100000:65536', '--gidmap=0:100000:65536'],
    ],
    ['podman without root has no other', { podman, docker }, []],
    ['docker cannot say of one container', { podman: 'absent', docker }, undefined],
    [
      'docker may have them for all',
      { podman: 'absent', docker: { ...docker, info: result(0, '["name=userns"]') } },
      [],
    ],
    [
      'nor has docker without root others',
      { podman: 'absent', docker: { ...docker, info: result(0, '["name=rootless"]') } },
      [],
    ],
  ])('user namespaces: %s', async (_name, programs, options) => {
    const { exec, log } = machine(programs);
    expect((await findRuntime('auto', exec, log))?.userNamespace).toEqual(options);
  });

  test('says why a program is not used', async () => {
    const { exec, log } = machine({ podman: { ...podman, run: NO_RIGHTS }, docker: 'absent' });
    await findRuntime('auto', exec, log);
    expect(log.lines).toEqual([
      'podman is not used: Error: OCI permission denied',
      'docker is not used: cannot run docker: no such program',
    ]);
  });

  test('removes what it tried out, whatever came of it', async () => {
    const { exec, log, calls } = machine({ podman: { ...podman, run: NO_RIGHTS }, docker: 'absent' });
    await findRuntime('auto', exec, log);
    expect(calls).toEqual(['podman info', 'podman import', 'podman run', 'podman rm', 'podman rmi']);
  });
});

describe('by name', () => {
  test('takes no other', async () => {
    const { exec, log, calls } = machine({ podman, docker });
    expect((await findRuntime('docker', exec, log))?.label).toBe('docker 28.2.2');
    expect(calls.filter((call) => call.startsWith('podman'))).toEqual([]);
  });

  test.each<[string, Machine, string]>([
    ['is not there', { podman: 'absent', docker }, 'cannot run podman: no such program'],
    ['runs no containers', { podman: { ...podman, run: NO_RIGHTS }, docker }, 'Error: OCI permission denied'],
  ])('an error says that it %s', async (_name, programs, why) => {
    const { exec, log } = machine(programs);
    await expect(findRuntime('podman', exec, log)).rejects.toMatchObject({
      code: 'input',
      message: `cannot run the tests with podman: ${why}`,
      hint: expect.stringContaining('--test-with auto'),
    });
  });
});
