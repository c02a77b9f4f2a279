// node upload-own.ts DISK PROGRAM URL [DIGESTS]: uploads a disk by this program; prints the seconds, with hashing and without, as JSON. With DIGESTS the
// parent's list is read from there, and written to it where there is none.

import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { systemClock } from '../../src/core/clock.ts';
import { DiskThreads } from '../../src/disk/disk-threads.ts';
import { hashBlocks } from '../../src/disk/hash-blocks.ts';
import { openDisk } from '../../src/disk/open-disk.ts';
import { uploadSnapshot } from '../../src/ebs/upload-snapshot.ts';
import { execOfProcess } from '../../src/host/exec.ts';
import { openFetch } from '../../src/host/process-fetch.ts';
import { keepHeapSmall } from '../../src/host/small-heap.ts';
import { quietLog } from '../../test/support/quiet-log.ts';

keepHeapSmall();
const [path = '', entry = '', endpoint = '', parentFile] = process.argv.slice(2);
const program = pathToFileURL(entry);
const { signal } = new AbortController();
const quiet = quietLog(console.error);
const begin = performance.now();
const disk = await openDisk(path, { exec: execOfProcess(signal), signal });
const threads = new DiskThreads(program, availableParallelism());
const blocks = await hashBlocks(disk, threads);
await threads.close();
const hashed = performance.now();
const known = parentFile && (await readFile(parentFile, 'utf8').catch(() => undefined));
const parent = known ? { snapshotId: known.slice(0, known.indexOf(' ')), blocks } : undefined;
const uploaded = await uploadSnapshot(
  {
    region: 'us-east-1',
    endpoint,
    credentials: async () => ({ accessKeyId: 'AKIAEXAMPLE000000000', secretAccessKey: 'secret' }),
    program,
    fetch: openFetch((name) => process.env[name] || undefined),
    clock: systemClock,
    signal,
    log: quiet,
    snapshotState: async () => 'completed',
    deleteSnapshot: async () => undefined,
    readBack: 0,
  },
  { path, size: disk.size, blocks },
  { clientToken: String(process.pid), parent },
);
await disk.close();
if (parentFile && !known) await writeFile(parentFile, `${uploaded.snapshotId} `);
const end = performance.now();
const memory = process.resourceUsage().maxRSS * 1024;
console.log(JSON.stringify({ ...uploaded, hash: (hashed - begin) / 1000, seconds: (end - hashed) / 1000, memory }));
