// node write-disk.ts REQUEST: makes the disk that REQUEST, a JSON file, defines.
import { readFile, statfs } from 'node:fs/promises';
import type { Closure } from '../../src/definition/closure.ts';
import { diskDefinitionSchema } from '../../src/definition/disk-definition.ts';
import { execOfProcess } from '../../src/host/exec.ts';
import { keepHeapSmall } from '../../src/host/small-heap.ts';
import { makeDisk } from '../../src/make-disk/make-disk.ts';
import { memoryLog } from '../../test/support/memory-log.ts';

keepHeapSmall();
const request = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')) as {
  readonly definition: unknown;
  readonly closure: Closure;
  readonly workDir: string;
};
const { signal } = new AbortController();
const free = async (folder: string): Promise<number> => {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
};
await makeDisk(
  diskDefinitionSchema.parse(request.definition),
  request.closure,
  { workDir: request.workDir },
  { exec: execOfProcess(signal), signal, log: memoryLog(), free },
);
