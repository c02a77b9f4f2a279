import { join } from 'node:path';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import type { FreeSpace } from '../core/free-space.ts';
import { STORE } from '../definition/store-path.ts';
import { checkDisk } from '../disk/check-disk.ts';
import type { Disk } from '../disk/disk.ts';
import { findDisk } from '../disk/find-disk.ts';
import { PARTITION_TYPE } from '../disk/gpt.ts';
import { hasGpt, readGpt } from '../disk/gpt-read.ts';
import { openDisk } from '../disk/open-disk.ts';
import { unpackDisk } from '../disk/unpack-disk.ts';
import type { Nix } from '../nix/nix.ts';
import { realiseHere } from '../nix/realise.ts';
import type { ToolDisk } from '../nix/tool-disk.ts';
import type { BootMode } from '../oci/disk-artifact.ts';
import type { System } from '../oci/system.ts';
import { gridPieces } from './grid-pieces.ts';
import type { OpenedDisk } from './opened-disk.ts';

interface ToolDiskTools extends Pick<Effects, 'exec' | 'log' | 'signal'> {
  readonly nix: Nix;
  readonly free: FreeSpace;
}

interface ToolDiskOptions {
  readonly gcRootDir: string;
  /** Whether its chunks stay on this machine, as in a handover that holds them. */
  readonly isStoredHere: boolean;
  readonly workDir: string;
}

const WITHOUT_POSITIONS = { positions: undefined, positionsBefore: null, storeOffset: null };

/** Where a disk is unpacked that is packed. */
const UNPACKED = 'unpacked.raw';

/**
 * Has Nix make the disk of another tool, and opens it as it is, after a look at what its way of booting needs. Throws UserError as Nix does, and `file` for what
 * is no disk, cannot be read, has no room to be unpacked, or cannot boot `system`.
 */
export async function openToolDisk(
  toolDisk: ToolDisk,
  system: System,
  { gcRootDir, isStoredHere, workDir }: ToolDiskOptions,
  { nix, exec, log, signal, free }: ToolDiskTools,
): Promise<OpenedDisk> {
  const { name, outPath, filePath } = toolDisk;
  await log.group(`Realising ${name} for ${system}`, () => realiseHere(nix, [toolDisk], { gcRootDir }));
  const found = await findDisk(outPath, { storeDir: STORE, filePath: filePath ?? undefined });
  if (found.system !== undefined && found.system !== system) {
    throw new UserError('file', `${outPath} is a disk for ${found.system}, not for ${system}`, {
      hint: 'Name it under the system that it boots.',
    });
  }
  const path = found.packing === undefined ? found.path : join(workDir, UNPACKED);
  if (found.packing !== undefined) {
    log.info(`unpacking ${found.path}`);
    const room = { free, copies: isStoredHere ? 2 : 1 };
    await unpackDisk(found.path, path, found.packing, { exec, signal, room });
  }
  const disk = await openDisk(path, { exec, signal });
  try {
    const bootMode = found.bootMode ?? (await bootModeOf(disk));
    if (found.bootMode === undefined && bootMode === 'legacy-bios')
      log.warn(`${name}: the disk has no EFI system partition, so it boots by a BIOS alone`);
    const { table, warnings } = await checkDisk(disk, { system, bootMode });
    for (const warning of warnings) log.warn(warning);
    const partitions = table?.partitions ?? [];
    return { disk, pieces: gridPieces, bootMode, partitions, ...WITHOUT_POSITIONS };
  } catch (error) {
    await disk.close();
    throw error;
  }
}

/** How a disk boots of which nobody says it: by UEFI where it has an EFI system partition. */
async function bootModeOf(disk: Disk): Promise<BootMode> {
  if (!(await hasGpt(disk))) return 'legacy-bios';
  const { table } = await readGpt(disk);
  return table.partitions.some(({ type }) => type === PARTITION_TYPE.esp) ? 'uefi' : 'legacy-bios';
}
