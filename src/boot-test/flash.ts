import { chmod, copyFile, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { withFileErrors } from '../core/file-error.ts';
import type { System } from '../oci/system.ts';
import type { Firmware, FlashFile } from './firmware.ts';
import { FILES } from './qemu-args.ts';

/** Bytes of each flash chip of QEMU's `virt` machine, which takes no file of another size; `q35` has chips of any size. */
const CHIP: Readonly<Record<System, number | undefined>> = {
  'x86_64-linux': undefined,
  'aarch64-linux': 64 * 1024 * 1024,
};

/**
 * Puts fresh variables into `folder`, for those that another boot left name disks that are not there, and fills up to the
 * size of the chip what was packaged without its empty end. Gives the code to be used. Throws UserError `file`.
 */
export async function prepareFlash(system: System, { code, variables }: Firmware, folder: string): Promise<FlashFile> {
  await copyFilled(system, variables, join(folder, FILES.variables));
  const { size } = await withFileErrors(code.path, 'read', () => stat(code.path));
  const chip = CHIP[system];
  if (code.format !== 'raw' || chip === undefined || size >= chip) return code;
  await copyFilled(system, code, join(folder, FILES.code));
  return { path: FILES.code, format: 'raw' };
}

async function copyFilled(system: System, { path, format }: FlashFile, to: string): Promise<void> {
  await withFileErrors(path, 'read', () => copyFile(path, to));
  // In a Nix store nothing is writable, and the copy would be as little.
  await withFileErrors(to, 'write', () => chmod(to, 0o600));
  const chip = CHIP[system];
  if (format !== 'raw' || chip === undefined) return;
  await withFileErrors(to, 'write', async () => {
    if ((await stat(to)).size < chip) await truncate(to, chip);
  });
}
