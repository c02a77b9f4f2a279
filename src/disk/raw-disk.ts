import type { Disk } from './disk.ts';
import { diskDamage } from './disk-damage.ts';
import type { DiskFile } from './disk-file.ts';
import type { Extent } from './extent.ts';
import { SECTOR } from './gpt.ts';

/** A file that is the disk, byte for byte. `extents`: where it may have data. Throws UserError `file` where it is no disk. */
export function rawDisk(file: DiskFile, extents: readonly Extent[]): Disk {
  const { path, size } = file;
  if (size === 0 || size % SECTOR !== 0) {
    const what = `ends within a sector of ${SECTOR} bytes`;
    throw diskDamage({
      path,
      structure: 'the disk',
      offset: 0,
      what: size === 0 ? 'is empty' : `${what}, at byte ${size}`,
    });
  }
  return {
    format: 'raw',
    path,
    size,
    extents,
    fd: file.fd,
    read: (into, position) => file.read(into, position, 'the disk'),
    close: () => file.close(),
  };
}
