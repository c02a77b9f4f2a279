// node write-store.ts ENTRIES DISK [PREVIOUS]: writes the store of ENTRIES, a JSON file, into DISK, and DISK.json with the positions.
import { open, readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { placeTrees } from '../../src/erofs/place.ts';
import { decodePositions, encodePositions, FS_BLOCK } from '../../src/erofs/positions.ts';
import { layOut } from '../../src/erofs/tree.ts';
import { writeErofs } from '../../src/erofs/write-erofs.ts';
import { keepHeapSmall } from '../../src/host/small-heap.ts';

keepHeapSmall();
const [list = '', disk = '', before] = process.argv.slice(2);
const entries = z
  .array(z.object({ name: z.string(), from: z.string() }))
  .parse(JSON.parse(await readFile(list, 'utf8')));
const previous = before === undefined ? undefined : decodePositions(await readFile(before), before);
const { signal } = new AbortController();
const trees = await layOut(entries, { signal });
const positions = placeTrees(trees, { previous, limit: Number.MAX_SAFE_INTEGER });
await using file = await open(disk, 'wx+');
await file.truncate(positions.blocks * FS_BLOCK);
const identity = { uuid: '6b1c2f6e-0d6f-4e6a-9a3a-2f1d5c0b9e77', label: 'nix-store' };
await writeErofs({ file, path: disk, start: 0 }, { trees, positions, identity }, { signal });
await writeFile(`${disk}.json`, encodePositions(positions));
