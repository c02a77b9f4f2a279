import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { System } from '../oci/system.ts';

/** Where Linux says which foreign programs it runs, and by what (kernel documentation, `binfmt-misc.rst`). */
const BINFMT_FOLDER = '/proc/sys/fs/binfmt_misc';

/** What qemu's registrations are called: by machine. */
const machineOf = (system: System): string => system.split('-')[0] ?? '';

/** Whether programs for `system` run here by emulation. */
export async function isEmulated(system: System, folder: string = BINFMT_FOLDER): Promise<boolean> {
  const text = await readFile(join(folder, `qemu-${machineOf(system)}`), 'utf8').catch(() => '');
  return text.startsWith('enabled\n');
}
