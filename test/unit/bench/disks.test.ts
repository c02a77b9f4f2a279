import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { changesText, missedChanges } from '../../../bench/disk/changes.ts';
import { commandsText, missedCommands } from '../../../bench/disk/commands.ts';
import { changedBlocks, changedChunks } from '../../../bench/disk/compare.ts';
import { makingText, missedMaking } from '../../../bench/disk/making.ts';
import { drift } from '../../../bench/disk/revisions.ts';
import { chancesOf } from '../../support/chances.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { closureBy } from '../erofs/placing.ts';

const BLOCK = 524_288;

test('blocks that hold something and are not what they were, also behind the end of the old disk', async () => {
  await using temp = await uniqueTempDir('disks');
  const [before, after] = [join(temp.path, 'before'), join(temp.path, 'after')];
  const disk = async (path: string, blocks: Readonly<Record<number, string>>, size: number) => {
    await using file = await open(path, 'w');
    for (const [block, text] of Object.entries(blocks)) await file.write(text, Number(block) * BLOCK + 100);
    await file.truncate(size);
  };
  await disk(before, { 0: 'a', 1: 'b', 2: 'c', 9: 'd' }, 10 * BLOCK);
  // The third is freed; the last is behind the old end, and incomplete.
  await disk(after, { 0: 'a', 1: 'x', 9: 'd', 20: 'e' }, 20 * BLOCK + 1000);
  expect(await changedBlocks(before, after)).toEqual({ changed: 2, all: 4 });
});

test('chunks are known by their digests, wherever they are', async () => {
  await using temp = await uniqueTempDir('chunks');
  const index = (chunks: readonly (readonly [number, number])[]): Buffer => {
    let end = 0;
    const items = chunks.map(([size, fill]) => {
      const item = Buffer.alloc(40, fill);
      end += size;
      item.writeBigUInt64LE(BigInt(end));
      return item;
    });
    return Buffer.concat([Buffer.alloc(64, 7), ...items, Buffer.alloc(40)]);
  };
  const [before, after] = [join(temp.path, 'before'), join(temp.path, 'after')];
  await writeFile(
    before,
    index([
      [10, 1],
      [20, 2],
      [30, 3],
    ]),
  );
  await writeFile(
    after,
    index([
      [5, 4],
      [30, 3],
      [10, 1],
      [10, 1],
    ]),
  );
  expect(await changedChunks(before, after)).toEqual({ changed: 5, all: 45 });
});

const content = { middle: { changed: 5, all: 100 } };
const own = { name: 'nix-images', shares: { middle: { changed: 70, all: 1000 } } };
const ext4 = { name: 'mkfs.ext4', shares: { middle: { changed: 900, all: 1000 } } };
const stays = { moved: 0, growth: 1.25 };

test('what is promised of changes: blocks and places', () => {
  expect(missedChanges({ content, makers: [own, ext4], drift: stays })).toEqual([]);
  const worse = { ...own, shares: { middle: { changed: 71, all: 1000 } } };
  expect(missedChanges({ content, makers: [worse, ext4], drift: { ...stays, moved: 1 } })).toEqual([
    'missed: middle: 7.1 % of the blocks for 5.0 % of the bytes',
    'missed: 1 paths moved',
  ]);
  expect(missedChanges({ content, makers: [], drift: stays })).toEqual(['missed: no figures']);
});

test('the report has a row for each maker', () => {
  const text = changesText({ content, drift: stays, makers: [own, ext4] });
  expect(text).toContain('| new paths, of all bytes | 5.0 % |\n| nix-images | 7.0 % |\n| mkfs.ext4 | 90.0 % |');
  expect(text).toContain(
    '20 revisions: 0 paths moved that stayed; the last disk has 1.25 times the size of what is on it.',
  );
});

const took = (name: string, wallSeconds: number) => ({
  name,
  usages: [{ wallSeconds, cpuSeconds: 1, largestProcess: 1e6, tree: 1e6 }],
});

test('what is promised of making disks, whole disks too', () => {
  const result = { loadBefore: 0.1, makers: [took('nix-images', 3), took('ext4', 6), took('nix-images, whole', 3)] };
  expect(missedMaking(result)).toEqual([]);
  expect(makingText(result)).toContain('| nix-images | 3.00 | 1.00 | 1.0 MB |');
  const slow = [took('nix-images', 3.1), took('ext4', 6), took('nix-images, whole', 4)];
  expect(missedMaking({ ...result, makers: slow })).toEqual([
    'missed: nix-images: 1.94 times as fast as mkfs.ext4 -d with a copy, at least 2',
    'missed: nix-images, whole: 1.50 times as fast as mkfs.ext4 -d with a copy, at least 2',
  ]);
  // Of a small closure the start of a program is most of it.
  expect(missedMaking({ ...result, makers: [took('nix-images', 3), took('ext4', 1)] })).toEqual([]);
});

test('every command for disks keeps to its memory, in the worst of its rounds', () => {
  const usage = (largestProcess: number) => ({ wallSeconds: 2, cpuSeconds: 1, largestProcess, tree: largestProcess });
  const usages = { build: [usage(199e6)], publish: [usage(90e6)], pull: [usage(150e6), usage(201e6)] };
  const result = { loadBefore: 0.1, usages, dataBytes: 2.7e9 };
  expect(missedCommands(result)).toEqual(['missed: pull of a disk takes 201.0 MB of memory']);
  expect(commandsText(result)).toContain('| nix-images build | 2.0 | 199.0 MB |');
});

test('20 revisions move nothing and leave few gaps', () => {
  const chance = chancesOf(7);
  const { moved, growth } = drift(closureBy(chance, 300), 20, chance);
  expect(moved).toBe(0);
  expect(growth).toBeGreaterThan(1);
  expect(growth).toBeLessThan(1.6);
});
