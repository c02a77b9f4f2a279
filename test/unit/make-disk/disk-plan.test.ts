import { expect, test } from 'vitest';
import { planDisk, storeLimit } from '../../../src/make-disk/disk-plan.ts';
import { spaceNeeded } from '../../../src/make-disk/disk-space.ts';

const MIB = 1 << 20;
const GIB = 1 << 30;

interface Sizes {
  readonly sizeGiB?: number;
  readonly verity?: boolean;
  readonly storeMiB?: number;
  readonly windowPercent?: number;
  readonly rootMiB?: number;
}

const sizesOf = ({ sizeGiB, verity = false, storeMiB, windowPercent = 150, rootMiB = 256 }: Sizes = {}) => ({
  name: 'disk',
  sizeGiB: sizeGiB ?? null,
  verity,
  boot: { loader: 'files' as const },
  partitions: {
    esp: { sizeMiB: 128 },
    store: { label: 'nix-store', sizeMiB: storeMiB ?? null, windowPercent },
    root: { label: 'nixos', sizeMiB: rootMiB },
  },
});

const inMiB = ({ offset, length }: { offset: number; length: number }) => [offset / MIB, length / MIB];

test('one behind the other, the root last, and the least number of GiB', () => {
  const plan = planDisk(sizesOf(), { data: 1000 * MIB, end: 1000 * MIB });
  expect([plan.esp, plan.store, plan.root].map(inMiB)).toEqual([
    [1, 128],
    [129, 1536],
    [1665, 256],
  ]);
  expect(plan.size).toBe(2 * GIB);
  expect(plan.verity).toBeUndefined();
});

test('the store keeps its size when its content changes a little, and grows in steps of an eighth', () => {
  const window = (mib: number) => planDisk(sizesOf(), { data: mib * MIB, end: mib * MIB }).store.length / MIB;
  expect([1000, 1010, 1020, 1024].map(window)).toEqual([1536, 1536, 1536, 1536]);
  expect(window(1030)).toBe(1664);
  expect(window(1)).toBe(2);
});

test('a store that has outgrown its percentage for gaps has what it needs', () => {
  const plan = planDisk(sizesOf({ windowPercent: 100 }), { data: 100 * MIB, end: 163 * MIB - 4096 });
  expect(plan.store.length).toBeGreaterThanOrEqual(163 * MIB);
});

test('with verity the tree lies between store and root, with room for every block of the store', () => {
  const plan = planDisk(sizesOf({ verity: true }), { data: 1000 * MIB, end: 1000 * MIB });
  expect(plan.verity && inMiB(plan.verity)).toEqual([1665, 13]);
  expect(inMiB(plan.root)).toEqual([1678, 256]);
});

test.each([false, true])('what a stated size leaves to the store fits, and no more (verity: %s)', (verity) => {
  const sizes = sizesOf({ sizeGiB: 2, verity });
  const end = storeLimit(sizes) * 4096;
  expect(planDisk(sizes, { data: end, end }).size).toBe(2 * GIB);
  expect(() => planDisk(sizes, { data: end, end: end + 16 * MIB })).toThrow(
    /needs 2\.2 GB .*but its sizeGiB says 2\.1 GB$/,
  );
});

test('a closure that does not fit a stated size: what is needed, of what, and what to say', () => {
  const sizes = sizesOf({ sizeGiB: 1, rootMiB: 700 });
  expect(() => planDisk(sizes, { data: 900 * MIB, end: 900 * MIB })).toThrow(
    expect.objectContaining({
      code: 'input',
      message:
        'the disk disk needs 1.8 GB (EFI system partition 134.2 MB, store 943.7 MB, root 734.0 MB), but its sizeGiB says 1.1 GB',
      hint: 'Set sizeGiB to 2 or more, or leave it out: then it is the least that fits.',
    }),
  );
});

test('a stated size of the store is taken as it is', () => {
  const plan = planDisk(sizesOf({ storeMiB: 3000 }), { data: 10 * MIB, end: 10 * MIB });
  expect(plan.store.length).toBe(3000 * MIB);
  expect(storeLimit(sizesOf({ storeMiB: 3000 }))).toBe((3000 * MIB) / 4096);
});

test('the room that making a disk takes is the store and the files beside it', () => {
  const closure = [{ path: '/nix/store/a', narHash: '', narSize: 1e9, references: [] }];
  const { esp } = sizesOf().partitions;
  expect(spaceNeeded(sizesOf(), closure)).toBe(1.08e9 + (2 * esp.sizeMiB + 64) * MIB);
});
