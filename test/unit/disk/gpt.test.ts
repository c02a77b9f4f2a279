import { open, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  ALIGNMENT,
  GPT_END_BYTES,
  GPT_START_BYTES,
  gptPlacements,
  PARTITION_TYPE,
  type Partition,
  type PartitionTable,
  writeGpt,
} from '../../../src/disk/gpt.ts';
import { programPath, runProgram, uniqueTempDir } from '../../support/tools.ts';

const MIB = ALIGNMENT;
const SIZE = 256 * MIB;

const TABLE: PartitionTable = {
  uuid: '9f3a2c11-7b1e-4c55-8a01-0102030405ff',
  partitions: [
    {
      type: PARTITION_TYPE.esp,
      uuid: '01234567-89ab-4def-8123-456789abcdef',
      name: 'ESP',
      offset: MIB,
      length: 96 * MIB,
    },
    {
      type: PARTITION_TYPE.linux,
      uuid: '11234567-89ab-4def-8123-456789abcdef',
      name: 'nix-store ä',
      offset: 97 * MIB,
      length: 100 * MIB,
      // Read-only, and the generator's "do not mount".
      attributes: (1n << 60n) | (1n << 63n),
    },
    {
      type: PARTITION_TYPE.rootX64,
      uuid: '21234567-89ab-4def-8123-456789abcdef',
      name: 'root',
      offset: 197 * MIB,
      length: 58 * MIB,
    },
  ],
};

async function written(folder: string, table = TABLE, size = SIZE): Promise<string> {
  const path = join(folder, 'disk.raw');
  await writeFile(path, '');
  await truncate(path, size);
  await using file = await open(path, 'r+');
  await writeGpt(file, table, size);
  return path;
}

test('sgdisk and sfdisk read what is written, with types, names, UUIDs and attributes', async () => {
  await using dir = await uniqueTempDir('gpt');
  const path = await written(dir.path);
  const verified = await runProgram(programPath('sgdisk'), ['-v', path]);
  expect(verified.stdout).toContain('No problems found');
  expect(verified.stdout).not.toMatch(/warning|caution/i);
  const dump = (await runProgram(programPath('sfdisk'), ['--dump', path])).stdout.replaceAll(path, 'DISK');
  expect(dump).toBe(
    [
      'label: gpt',
      'label-id: 9F3A2C11-7B1E-4C55-8A01-0102030405FF',
      'device: DISK',
      'unit: sectors',
      'first-lba: 34',
      'last-lba: 524254',
      'sector-size: 512',
      '',
      'DISK1 : start=        2048, size=      196608, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=01234567-89AB-4DEF-8123-456789ABCDEF, name="ESP"',
      'DISK2 : start=      198656, size=      204800, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=11234567-89AB-4DEF-8123-456789ABCDEF, name="nix-store \\xc3\\xa4", attrs="GUID:60,63"',
      'DISK3 : start=      403456, size=      118784, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid=21234567-89AB-4DEF-8123-456789ABCDEF, name="root"',
      '',
    ].join('\n'),
  );
});

test('equal tables give equal bytes, at the start and the end of the disk only', async () => {
  const [first, second] = [gptPlacements(TABLE, SIZE), gptPlacements(TABLE, SIZE)];
  expect(first).toEqual(second);
  expect(first.map(({ offset, bytes }) => [offset, bytes.length])).toEqual([
    [0, GPT_START_BYTES],
    [SIZE - GPT_END_BYTES, GPT_END_BYTES],
  ]);
});

test('the protective MBR of a disk that is too long for it says as much as it can', () => {
  const [start] = gptPlacements({ uuid: TABLE.uuid, partitions: [] }, 4 * 1024 ** 4);
  expect(start.bytes.readUInt32LE(446 + 12)).toBe(0xffff_ffff);
});

const [esp, store] = TABLE.partitions as [Partition, Partition];

test.each([
  ['is not whole sectors', [{ ...esp, length: 1000 }]],
  ['begins at', [esp, { ...store, offset: 50 * MIB }]],
  ['begins at 512, before 17408', [{ ...esp, offset: 512 }]],
  ['partitions end at', [{ ...esp, length: SIZE - MIB }]],
  ['is longer than 36', [{ ...esp, name: 'x'.repeat(37) }]],
  ['not a valid GUID', [{ ...esp, uuid: 'x' }]],
  ['129 partitions', Array.from({ length: 129 }, () => esp)],
])('a table that no disk can have is refused: %s', (message, partitions) => {
  expect(() => gptPlacements({ uuid: TABLE.uuid, partitions }, SIZE)).toThrow(message);
});
