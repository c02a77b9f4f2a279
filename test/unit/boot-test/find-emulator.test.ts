import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BootWith, findEmulator, installHint } from '../../../src/boot-test/find-emulator.ts';
import type { System } from '../../../src/oci/system.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { type PretendMachine, pretendQemu, quickClock } from '../../support/pretend-qemu.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;
beforeAll(async () => {
  temp = await uniqueTempDir('emulator');
  await mkdir(join(temp.path, 'bin'));
  for (const name of ['qemu-system-x86_64', 'qemu-system-aarch64']) {
    await writeFile(join(temp.path, 'bin', name), '');
    await chmod(join(temp.path, 'bin', name), 0o755);
  }
  await mkdir(join(temp.path, 'firmware'));
  const names = ['edk2-x86_64-code.fd', 'edk2-i386-vars.fd', 'edk2-aarch64-code.fd', 'edk2-arm-vars.fd'];
  for (const name of names) await writeFile(join(temp.path, 'firmware', name), name);
  await writeFile(join(temp.path, 'kvm'), '');
});
afterAll(() => temp.remove());

interface Given {
  readonly asked?: Exclude<BootWith, 'none'>;
  readonly system?: System;
  readonly path?: string;
  readonly firmware?: string;
  readonly kvmDevice?: string;
  readonly version?: string;
  /** What the firmware that is started to see whether KVM works does. */
  readonly guest?: (machine: PretendMachine) => Promise<number | undefined>;
}

async function find({ asked = 'auto', system = 'x86_64-linux', ...given }: Given) {
  const at = (name: string): string => join(temp.path, name);
  const tempDir = at(`${Math.random()}`);
  await mkdir(tempDir);
  const silent = async (): Promise<undefined> => undefined;
  const qemu = pretendQemu(given.guest ?? silent, given.version);
  const log = memoryLog();
  try {
    const found = await findEmulator(asked, system, {
      exec: qemu.exec,
      clock: quickClock(),
      signal: new AbortController().signal,
      tempDir,
      log,
      env: (name) => (name === 'PATH' ? `/nonexistent::${given.path ?? at('bin')}` : undefined),
      systemHere: 'x86_64-linux',
      firmwarePlaces: { descriptors: [], data: [given.firmware ?? at('firmware')], root: tempDir },
      kvmDevice: given.kvmDevice ?? at('kvm'),
    });
    return { found, log: log.lines.join('\n'), starts: qemu.starts };
  } finally {
    expect([await readdir(tempDir), qemu.running()]).toEqual([[], 0]);
  }
}

const firmwareSpeaks = async ({ say }: PretendMachine): Promise<undefined> => {
  say('\x1b[2J\x1b[01;01HBdsDxe: loading Boot0001 "EFI Internal Shell"\r\n');
  return undefined;
};

describe('KVM', () => {
  test('is taken where the firmware was seen to run under it', async () => {
    const { found, starts } = await find({ guest: firmwareSpeaks });
    expect(found).toMatchObject({ emulator: { accelerator: 'kvm', label: 'QEMU 9.2.1 with KVM' } });
    expect(starts).toHaveLength(1);
    expect(starts[0]?.join(' ')).toMatch(/-cpu host -accel kvm .*edk2-x86_64-code\.fd/);
    // The disk is not there to be spoilt.
    expect(starts[0]?.join(' ')).not.toContain('nvme');
  });

  test.each<[string, Given, RegExp]>([
    ['whose device is not there', { kvmDevice: '/nonexistent/kvm' }, /there is no \/nonexistent\/kvm/],
    ['whose device cannot be opened', { kvmDevice: '/proc' }, /\/proc cannot be opened \(EISDIR\)/],
    ['that runs a guest which never says a word', {}, /a guest did not get anywhere within 20 s/],
    [
      'that only clears the screen',
      {
        guest: async ({ say }) => {
          say('\x1b[2J\x1b[01;01H\r\n');
          return undefined;
        },
      },
      /did not get anywhere/,
    ],
    [
      'that QEMU cannot set up',
      {
        guest: async ({ complain }) => {
          complain('qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69');
          return 134;
        },
      },
      /failed to set MSR 0x10a/,
    ],
    [
      'that gives up the guest and keeps QEMU',
      {
        guest: async ({ complain }) => {
          complain('KVM internal error. Suberror: 1');
          return undefined;
        },
      },
      /KVM internal error\. Suberror: 1/,
    ],
    ['whose guest ends', { guest: async () => 0 }, /a guest ended without a word/],
    [
      'of a machine of another kind',
      { system: 'aarch64-linux', guest: firmwareSpeaks },
      /this machine is x86_64-linux/,
    ],
  ])('%s is not taken, and asked for by name is an error', async (_name, given, why) => {
    const { found, log } = await find(given);
    expect(found).toMatchObject({ emulator: { accelerator: 'tcg', label: 'QEMU 9.2.1 without KVM' } });
    expect(log).toMatch(/^KVM is not used for /);
    expect(log).toMatch(why);
    await expect(find({ ...given, asked: 'kvm' })).rejects.toThrow(why);
  });

  test('is not tried where it is not wanted', async () => {
    const { found, starts } = await find({ asked: 'tcg', guest: firmwareSpeaks });
    expect(found).toMatchObject({ emulator: { accelerator: 'tcg' } });
    expect(starts).toEqual([]);
  });
});

describe('there is none', () => {
  test.each<[string, Given, string]>([
    ['without the program', { path: '/nonexistent' }, 'qemu-system-x86_64 is not installed here'],
    ['with a program that does not run', { version: '' }, 'qemu-system-x86_64 does not run here'],
    [
      'without firmware',
      { firmware: '/nonexistent' },
      'no UEFI firmware for qemu-system-x86_64 (OVMF) is installed here',
    ],
    [
      'without firmware for the other system',
      { firmware: '/nonexistent', system: 'aarch64-linux' },
      'no UEFI firmware for qemu-system-aarch64 (AAVMF) is installed here',
    ],
  ])('%s', async (_name, given, why) => {
    expect((await find(given)).found).toEqual({ why });
  });

  test('and what to install is told', () => {
    expect(installHint('x86_64-linux')).toContain('qemu-system-x86 and ovmf (Debian');
    expect(installHint('aarch64-linux')).toContain('qemu-system-arm and qemu-efi-aarch64 (Debian');
  });
});
