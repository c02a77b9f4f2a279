import type { System } from '../oci/system.ts';
import type { Firmware } from './firmware.ts';

type Accelerator = 'kvm' | 'tcg';

/** What boots disks of a system on this machine. */
export interface Emulator {
  readonly system: System;
  /** Its name, or its path. */
  readonly program: string;
  readonly firmware: Firmware;
  readonly accelerator: Accelerator;
  /** Such as `QEMU 7.2.22 without KVM`. */
  readonly label: string;
}

/** A disk that is booted, as it is in a file. */
export interface DiskToBoot {
  readonly path: string;
  /** Bytes, holes included. */
  readonly size: number;
  /** Default: raw. */
  readonly format?: 'raw' | 'vhd' | 'qcow2';
}
