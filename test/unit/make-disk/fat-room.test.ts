import { expect, test } from 'vitest';
import { fatBytes, fatLayout } from '../../../src/make-disk/fat-room.ts';

const MIB = 1 << 20;

test('clusters are as large as FAT32 lets them be', () => {
  const clusters = [34, 64, 128, 256, 512, 4096].map((mib) => fatLayout(mib * MIB).cluster);
  expect(clusters).toEqual([512, 512, 1024, 2048, 4096, 4096]);
});

test('files, folders and long names take whole clusters', () => {
  const layout = { cluster: 512, clusters: 70_000 };
  // The root directory alone.
  expect(fatBytes([], layout)).toBe(512);
  // Root, /EFI, /EFI/BOOT, and the file.
  expect(fatBytes([{ path: '/EFI/BOOT/BOOTX64.EFI', size: 513 }], layout)).toBe(3 * 512 + 1024);
  expect(fatBytes([{ path: '/marker', size: 0 }], layout)).toBe(512);
  // Six names of 30 characters have four entries of 32 bytes each, and `.` and `..` two: 26 entries, two clusters.
  const files = Array.from({ length: 6 }, (_, index) => ({ path: `/folder/${'n'.repeat(29)}${index}`, size: 0 }));
  expect(fatBytes(files, layout)).toBe(3 * 512);
});
