import type { Extent } from './extent.ts';

/** A disk that is read at random, whatever format its file has. */
export interface Disk {
  readonly format: 'raw' | 'vhd' | 'qcow2';
  readonly path: string;
  /** Bytes of the disk, not of the file. */
  readonly size: number;
  /** Where data may be, ascending and apart; everything else reads as zeros. */
  readonly extents: readonly Extent[];
  /** Descriptor of the file, where its bytes are those of the disk: raw, and VHD of fixed size. */
  readonly fd?: number | undefined;
  /** Fills `into` with the bytes from `position` on. Throws UserError `file` where the disk ends before, or its file is damaged. */
  read(into: Uint8Array, position: number): Promise<void>;
  close(): Promise<void>;
}
