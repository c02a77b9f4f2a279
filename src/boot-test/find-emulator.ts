import { access, constants, open, realpath } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { UserError } from '../core/error.ts';
import { systemCode } from '../core/file-error.ts';
import type { Log } from '../core/log.ts';
import type { System } from '../oci/system.ts';
import type { Emulator } from './emulator.ts';
import { type FirmwarePlaces, findFirmware } from './firmware.ts';
import type { MachineTools } from './machine.ts';
import { whyNoKvm } from './probe-kvm.ts';

/** What may be asked for. */
export const BOOT_WITH_CHOICES = ['auto', 'kvm', 'tcg', 'none'] as const;

export type BootWith = (typeof BOOT_WITH_CHOICES)[number];

/** What of this machine decides which emulator it has. */
interface EmulatorTools extends MachineTools {
  readonly log: Log;
  /** An environment variable; undefined when it is not set or empty. */
  readonly env: (name: string) => string | undefined;
  readonly systemHere: System;
  /** Why KVM runs no guests, asked with what would run them without it. Default: `whyNoKvm`. */
  readonly probe?: (emulator: Emulator) => Promise<string | undefined>;
  /** Default: those of this machine. */
  readonly firmwarePlaces?: FirmwarePlaces;
  /** Default: KVM's device. */
  readonly kvmDevice?: string;
}

/** An emulator, or why there is none: one line of plain words. */
export type FoundEmulator = { readonly emulator: Emulator } | { readonly why: string };

const PROGRAM: Readonly<Record<System, string>> = {
  'x86_64-linux': 'qemu-system-x86_64',
  'aarch64-linux': 'qemu-system-aarch64',
};

const FIRMWARE: Readonly<Record<System, string>> = { 'x86_64-linux': 'OVMF', 'aarch64-linux': 'AAVMF' };

/** What installs QEMU and firmware for a system. */
export const installHint = (system: System): string =>
  system === 'x86_64-linux'
    ? 'Install qemu-system-x86 and ovmf (Debian, Ubuntu), qemu-system-x86 and edk2-ovmf (Fedora), or qemu (nixpkgs).'
    : 'Install qemu-system-arm and qemu-efi-aarch64 (Debian, Ubuntu), qemu-system-aarch64 and edk2-aarch64 (Fedora), or qemu (nixpkgs).';

/**
 * Finds what boots disks of `system` here. KVM is taken only where a guest was seen to run under it; otherwise QEMU runs
 * every instruction itself, and the log says why. Throws UserError `input` when KVM is asked for and runs no guests.
 */
export async function findEmulator(
  asked: Exclude<BootWith, 'none'>,
  system: System,
  tools: EmulatorTools,
): Promise<FoundEmulator> {
  const name = PROGRAM[system];
  const program = await onPath(tools.env('PATH'), name);
  if (program === undefined) return { why: `${name} is not installed here` };
  const version = await versionOf(program, tools);
  if (version === undefined) return { why: `${name} does not run here` };
  const firmware = await findFirmware(system, tools.firmwarePlaces ?? (await placesOf(program, tools.env)));
  if (!firmware) return { why: `no UEFI firmware for ${name} (${FIRMWARE[system]}) is installed here` };
  const without = { system, program, firmware, accelerator: 'tcg', label: `QEMU ${version} without KVM` } as const;
  if (asked === 'tcg') return { emulator: without };
  const why = await whyNotKvm(without, tools);
  if (why === undefined) {
    return { emulator: { ...without, accelerator: 'kvm', label: `QEMU ${version} with KVM` } };
  }
  if (asked === 'kvm') {
    throw new UserError('input', `cannot boot disks for ${system} with KVM: ${why}`, {
      hint: 'Leave the choice to --boot-with auto, which boots them without KVM, many times slower.',
      docs: 'disks.md#tests',
    });
  }
  tools.log.info(`KVM is not used for ${system}: ${why}`);
  return { emulator: without };
}

async function whyNotKvm(emulator: Emulator, tools: EmulatorTools): Promise<string | undefined> {
  if (emulator.system !== tools.systemHere) return `this machine is ${tools.systemHere}`;
  const device = tools.kvmDevice ?? '/dev/kvm';
  try {
    await (await open(device, 'r+')).close();
  } catch (error) {
    const code = systemCode(error);
    return code === 'ENOENT' ? `there is no ${device}` : `${device} cannot be opened (${code})`;
  }
  return (tools.probe ?? ((guest) => whyNoKvm(guest, tools)))(emulator);
}

async function versionOf(program: string, { exec, signal }: EmulatorTools): Promise<string | undefined> {
  const { exitCode, stdout } = await exec(program, ['--version'], { signal });
  return exitCode === 0 ? /version (\d[\w.+~-]*)/.exec(stdout)?.[1] : undefined;
}

async function onPath(path: string | undefined, program: string): Promise<string | undefined> {
  for (const folder of (path ?? '').split(delimiter)) {
    if (folder === '') continue;
    const file = join(folder, program);
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return file;
  }
  return undefined;
}

/** The user's, the machine's, the distribution's (QEMU's docs/interop/firmware.json), and what is beside QEMU itself. */
async function placesOf(program: string, env: EmulatorTools['env']): Promise<FirmwarePlaces> {
  const share = join(dirname(await realpath(program)), '../share/qemu');
  const home = env('HOME');
  const config = env('XDG_CONFIG_HOME') ?? (home === undefined ? undefined : join(home, '.config'));
  const folders = [...(config === undefined ? [] : [config]), '/etc', '/usr/share'].map((at) =>
    join(at, 'qemu/firmware'),
  );
  return { descriptors: [...folders, join(share, 'firmware')], data: [share, '/usr/share/qemu'], root: '' };
}
