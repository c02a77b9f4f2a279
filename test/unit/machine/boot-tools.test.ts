import { constants } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { UserError } from '../../../src/core/error.ts';
import type { Exec } from '../../../src/core/exec.ts';
import { installBootTools, openKvm } from '../../../src/machine/boot-tools.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { uniqueTempDir } from '../../support/tools.ts';

/** Keeps what would be run, and fails what matches. */
const recording = (failing?: RegExp) => {
  const ran: string[] = [];
  const exec: Exec = async (program, args) => {
    const command = [program, ...args].join(' ');
    ran.push(command);
    if (failing?.test(command)) return { exitCode: 100, stdout: '', stderr: 'Reading lists\nE: no network\n' };
    return { exitCode: 0, stdout: '', stderr: '' };
  };
  return { ran, exec, log: memoryLog(), asRoot: ['sudo', '-n'] };
};

const APT = 'sudo -n env DEBIAN_FRONTEND=noninteractive apt-get --quiet';

test('what boots disks of both systems is installed at once, after new lists', async () => {
  const tools = recording();
  await installBootTools(['x86_64-linux', 'aarch64-linux'], tools);
  expect(tools.ran).toEqual([
    `${APT} update`,
    `${APT} install --yes --no-install-recommends qemu-system-x86 ovmf qemu-utils qemu-system-arm qemu-efi-aarch64`,
  ]);
});

test.each([
  ['without a network', recording(/update/), 'cannot be installed: E: no network', 1],
  ['with packages that are gone', recording(/install/), 'cannot be installed: E: no network', 2],
])('%s it warns and goes on', async (_name, tools, warning, commands) => {
  await installBootTools(['aarch64-linux'], tools);
  expect(tools.ran).toHaveLength(commands);
  expect(tools.log.lines.join('\n')).toContain(warning);
});

test('a machine without sudo is warned of, and one that is being stopped ends', async () => {
  const log = memoryLog();
  const exec =
    (error: UserError): Exec =>
    () =>
      Promise.reject(error);
  const missing = new UserError('file', 'sudo cannot be started: no such file');
  await installBootTools(['x86_64-linux'], { exec: exec(missing), log, asRoot: ['sudo', '-n'] });
  expect(log.lines.join('\n')).toContain('cannot be installed: sudo cannot be started');
  const stopped = new UserError('cancelled', 'cancelled');
  const stopping = installBootTools(['x86_64-linux'], { exec: exec(stopped), log, asRoot: [] });
  await expect(stopping).rejects.toBe(stopped);
});

test('a device that is absent or open stays as it is', async () => {
  await using folder = await uniqueTempDir('kvm');
  const device = join(folder.path, 'kvm');
  const tools = recording();
  await openKvm(device, tools);
  await writeFile(device, '');
  await openKvm(device, tools);
  expect(tools.ran).toEqual([]);
});

test('a closed device is opened', async () => {
  const tools = recording();
  await openKvm('/dev/kvm', tools, async (_device, mode) => mode === constants.F_OK);
  expect(tools.ran).toEqual(['sudo -n chmod 0666 /dev/kvm']);
});
