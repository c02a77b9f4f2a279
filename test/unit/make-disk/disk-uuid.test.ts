import { expect, test } from 'vitest';
import { diskUuid, espVolumeId, veritySalt } from '../../../src/make-disk/disk-uuid.ts';

const disk = { name: 'org/app', system: 'x86_64-linux' } as const;

test('UUIDs are of version 8, and follow from name, system and part alone', () => {
  // sha256sum of the words with zero bytes between, by hand; the version and variant put in.
  expect(diskUuid(disk, 'root')).toBe('a82d6968-2503-804d-8df3-2c359ca9c44c');
  expect(diskUuid({ ...disk }, 'root')).toBe(diskUuid(disk, 'root'));
  const others = [
    diskUuid(disk, 'store'),
    diskUuid({ ...disk, name: 'org/ap' }, 'root'),
    diskUuid({ ...disk, system: 'aarch64-linux' }, 'root'),
  ];
  expect(new Set([...others, diskUuid(disk, 'root')]).size).toBe(4);
  for (const uuid of others)
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('FAT has 8 digits, dm-verity a salt of 32 bytes', () => {
  expect(espVolumeId(disk)).toMatch(/^[0-9a-f]{8}$/);
  expect(veritySalt(disk)).toMatch(/^[0-9a-f]{64}$/);
});
