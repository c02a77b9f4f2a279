import { peMachine } from '../disk/pe-machine.ts';
import type { System } from '../oci/system.ts';

/** What the first bytes of a file say about what it is. */
export interface Executable {
  /** `pe`: a program for EFI, which a kernel with an EFI stub is too. */
  readonly format: 'pe' | 'bzImage' | 'arm64 Image' | 'ELF' | 'gzip' | 'unknown';
  /** The system that it is for; undefined where that is none of ours, or is not said. */
  readonly system: System | undefined;
  /** What else it is for, for messages. */
  readonly machine: string;
}

/** Bytes of a file from which all of this is read: the header of a PE file stands in the first of them. */
export const HEAD_BYTES = 4096;

/** Numbers of machines in ELF files (`EM_*`). */
const ELF_MACHINES = new Map<number, string>([
  [62, 'x86_64'],
  [183, 'aarch64'],
  [3, 'i386'],
  [40, 'arm'],
  [243, 'riscv'],
  [258, 'loongarch'],
]);

const SYSTEM_OF: Readonly<Record<string, System>> = { x86_64: 'x86_64-linux', aarch64: 'aarch64-linux' };

const known = (format: Executable['format'], machine: string): Executable => ({
  format,
  machine,
  system: SYSTEM_OF[machine],
});

/** Tells what a kernel, a loader or a stub is by its first `HEAD_BYTES` bytes. */
export function readExecutable(head: Buffer): Executable {
  const machine = peMachine(head);
  if (machine !== undefined) return known('pe', machine);
  // Linux `Documentation/arch/x86/boot.rst`: the setup header's magic.
  if (head.toString('latin1', 0x202, 0x206) === 'HdrS') return known('bzImage', 'x86_64');
  // Linux `Documentation/arch/arm64/booting.rst`.
  if (head.toString('latin1', 0x38, 0x3c) === 'ARM\x64') return known('arm64 Image', 'aarch64');
  if (head.toString('latin1', 0, 4) === '\x7fELF' && head.length >= 20) {
    return known('ELF', elfMachine(head.readUInt16LE(18)));
  }
  if (head.length >= 2 && head.readUInt16BE(0) === 0x1f8b) return known('gzip', 'unknown');
  return known('unknown', 'unknown');
}

const elfMachine = (number: number): string => ELF_MACHINES.get(number) ?? `machine 0x${number.toString(16)}`;
