import type { System } from '../oci/system.ts';
import type { DiskToBoot, Emulator } from './emulator.ts';
import type { FlashFile } from './firmware.ts';

/** Files in the folder where QEMU is started, by names that fit into the 107 characters of a socket's path. */
export const FILES = { code: 'code', variables: 'variables', enlarged: 'disk.qcow2', monitor: 'qmp' } as const;

/** A machine without a disk. */
interface MachinePlan {
  readonly memoryMiB: number;
  readonly cpus: number;
  /** The firmware's code as QEMU takes it. */
  readonly code: FlashFile;
}

/** What is added to boot a disk. */
interface DiskPlan {
  readonly disk: DiskToBoot;
  /** Whether the disk stands behind an enlarged one. */
  readonly isEnlarged: boolean;
  /** A TCP port of the guest that is reached from here; null for none. */
  readonly port: number | null;
}

/** TCG's `max` for AArch64 has features that older firmware stumbles over; this is what clouds began with. */
const CPU: Readonly<Record<System, string>> = { 'x86_64-linux': 'max', 'aarch64-linux': 'cortex-a72' };

/**
 * A kernel for x86-64 writes into its own code while other processors run it. With a thread for each of them QEMU may still run what stood there
 * before, and the kernel then dies of an int3 (seen with QEMU 7.2 and Linux 6.12); AArch64's rules for that are stricter.
 */
const TCG: Readonly<Record<System, string>> = {
  'x86_64-linux': 'tcg,thread=single',
  'aarch64-linux': 'tcg,thread=multi',
};

const MACHINE: Readonly<Record<System, string>> = {
  'x86_64-linux': 'q35,smm=off',
  'aarch64-linux': 'virt,gic-version=max',
};

const FORMAT = { raw: 'raw', vhd: 'vpc', qcow2: 'qcow2' } as const;

/** A path within an option, where commas part what is said. */
const inOption = (path: string): string => path.replaceAll(',', ',,');

const flash = ({ path, format }: FlashFile, more: string): string =>
  `if=pflash,format=${format},${more}file=${inOption(path)}`;

/**
 * Arguments of QEMU for a machine with firmware and a serial console on standard input and output, and nothing else: no
 * display, no monitor, no network, no configuration of the user's. It ends where it would restart.
 */
export const machineArgs = (
  { system, accelerator, firmware }: Emulator,
  { memoryMiB, cpus, code }: MachinePlan,
): string[] => [
  ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-monitor', 'none'],
  ...['-machine', MACHINE[system], '-cpu', accelerator === 'kvm' ? 'host' : CPU[system]],
  ...['-accel', accelerator === 'kvm' ? 'kvm' : TCG[system]],
  ...['-m', `${memoryMiB}M`, '-smp', `${cpus}`],
  // Ctrl-C that is typed there is the guest's.
  ...['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console'],
  ...['-drive', flash(code, 'readonly=on,')],
  ...['-drive', flash({ path: FILES.variables, format: firmware.variables.format }, '')],
];

/**
 * Arguments for the disk, as NVMe as clouds have it, and a network without ways out. The disk is never written to: what the
 * guest writes goes to a file without a name, and is not flushed, for nobody reads it afterwards.
 */
export function diskArgs({ disk, isEnlarged, port }: DiskPlan): string[] {
  const [file, format] = isEnlarged ? [FILES.enlarged, 'qcow2'] : [disk.path, FORMAT[disk.format ?? 'raw']];
  const forward = port === null ? '' : `,hostfwd=tcp:127.0.0.1:0-:${port}`;
  return [
    '-drive',
    `if=none,id=disk,snapshot=on,cache=unsafe,format=${format},file=${inOption(file)}`,
    ...['-device', 'nvme,drive=disk,serial=nix-images,bootindex=0'],
    // Without a ROM, which packages of QEMU leave out: the firmware must not ask the network for something to boot.
    ...['-netdev', `user,id=net,restrict=on${forward}`, '-device', 'virtio-net-pci,netdev=net,romfile='],
    ...['-device', 'virtio-rng-pci'],
    ...(port === null ? [] : ['-qmp', `unix:${FILES.monitor},server=on,wait=off`]),
  ];
}

/** Arguments of qemu-img for a disk that is larger, with what is not written read from the one there is. */
export const enlargeArgs = ({ path, format = 'raw' }: DiskToBoot, gib: number): string[] => [
  ...['create', '-q', '-f', 'qcow2', '-F', FORMAT[format], '-b', path, FILES.enlarged, `${gib}G`],
];
