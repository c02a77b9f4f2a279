// node read-disk.ts hash|pack|data DISK PROGRAM OUT: what is timed of reading disks; prints the seconds that it took, without the start of Node.
import { open } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { diskFrames } from '../../src/disk/disk-frames.ts';
import { DiskThreads } from '../../src/disk/disk-threads.ts';
import { hashBlocks } from '../../src/disk/hash-blocks.ts';
import { openDisk } from '../../src/disk/open-disk.ts';
import { execOfProcess } from '../../src/host/exec.ts';
import { keepHeapSmall } from '../../src/host/small-heap.ts';

keepHeapSmall();
const [kind, path = '', program = '', out = ''] = process.argv.slice(2);
const { signal } = new AbortController();
const begin = performance.now();
const disk = await openDisk(path, { exec: execOfProcess(signal), signal });
if (kind === 'hash') {
  const threads = new DiskThreads(pathToFileURL(program), availableParallelism());
  await hashBlocks(disk, threads);
  console.log((performance.now() - begin) / 1000);
  await threads.close();
} else {
  await using file = await open(out, 'w');
  if (kind === 'pack')
    for await (const frame of diskFrames(disk, { parallel: availableParallelism() })) await file.write(frame);
  else {
    // The bytes of the data alone, for openssl.
    for (const { offset, length } of disk.extents) {
      for (let at = 0; at < length; at += 2 ** 20) {
        const bytes = Buffer.alloc(Math.min(2 ** 20, length - at));
        await disk.read(bytes, offset + at);
        await file.write(bytes);
      }
    }
  }
  console.log((performance.now() - begin) / 1000);
}
await disk.close();
