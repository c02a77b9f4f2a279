import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ChunkReuse } from '../../../src/disk-image/chunk-reuse.ts';
import { writeChunks } from '../../../src/disk-image/write-chunks.ts';
import { openJournal } from '../../../src/image/journal.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import { noise } from '../../support/disks.ts';
import { NO_SIGNAL } from '../../support/erofs.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { uniqueTempDir } from '../../support/tools.ts';

const PIECE = 64 * 1024;
const BYTES = noise(8 * PIECE, 1);
const PIECES = Array.from({ length: 8 }, (_, index) => ({ offset: index * PIECE, length: PIECE }));

/** A destination in memory. */
function memory(name: string) {
  const blobs = new Map<string, Buffer>();
  let sent = 0;
  let most = Number.POSITIVE_INFINITY;
  const repository = {
    name,
    hasBlob: async ({ digest }: Descriptor) => blobs.has(digest),
    mountBlob: async () => false,
    readBlob: async function* ({ digest }: Descriptor) {
      yield blobs.get(digest);
    },
    putBlob: async ({ digest }: Descriptor, bytes: Uint8Array) => void blobs.set(digest, Buffer.from(bytes)),
    openBlob: async () => {
      if (sent >= most) throw new Error('cut off');
      sent += 1;
      const chunks: Buffer[] = [];
      return {
        write: async (chunk: Uint8Array) => void chunks.push(Buffer.from(chunk)),
        commit: async () => void blobs.set(digestOf(Buffer.concat(chunks)), Buffer.concat(chunks)),
        abort: async () => {},
      };
    },
  };
  return {
    repository: repository as unknown as Repository,
    blobs,
    sent: () => sent,
    /** Lets so many uploads begin. */
    take: (count: number) => {
      sent = 0;
      most = count;
    },
  };
}

async function kit() {
  const temp = await uniqueTempDir('interrupted');
  onTestFinished(() => temp.remove());
  const write = async (destinations: readonly Repository[]) => {
    const log = memoryLog();
    const journal = await openJournal(join(temp.path, 'journal'), destinations, log);
    const disk = { read: async (into: Uint8Array, at: number) => void into.set(BYTES.subarray(at, at + into.length)) };
    const options = { reuse: new ChunkReuse([], journal), parallel: 2, label: 'vm', log, signal: NO_SIGNAL };
    return { log, journal, chunks: writeChunks(disk, PIECES, destinations, options) };
  };
  return { temp, write };
}

test('chunks that were sent when a publish was cut off are not sent again, and the disk is the same', async () => {
  const { temp, write } = await kit();
  const whole = await (await write([memory('other').repository])).chunks;
  const place = memory('place');
  place.take(5);
  await expect((await write([place.repository])).chunks).rejects.toThrow('cut off');
  const there = place.blobs.size;
  expect(there).toBeGreaterThanOrEqual(3);
  // The line of a process that was killed in between.
  const journals = await readdir(join(temp.path, 'journal'));
  for (const name of journals) {
    const file = join(temp.path, 'journal', name);
    await writeFile(file, `${await readFile(file, 'utf8')}{"descriptor":{"media`);
  }
  place.take(8);
  const again = await write([place.repository]);
  expect(again.log.lines.join('\n')).toMatch(
    new RegExp(`resuming an interrupted publish: ${there} chunks known from .*jsonl`),
  );
  const stored = await again.chunks;
  expect(stored).toEqual({ ...whole, reused: there });
  expect(place.sent()).toBe(8 - there);
  await again.journal.clear();
  place.take(8);
  const last = await write([place.repository]);
  expect(last.log.lines).toEqual([]);
  await last.chunks;
  expect(place.sent()).toBe(8);
});

test('what one destination got of two is not made again for the other; what is gone is', async () => {
  const { write } = await kit();
  const [a, b] = [memory('a'), memory('b')];
  b.take(2);
  await expect((await write([a.repository, b.repository])).chunks).rejects.toThrow('cut off');
  const [gone] = a.blobs.keys();
  a.blobs.delete(gone ?? '');
  b.blobs.delete(gone ?? '');
  const there = new Set([...a.blobs.keys(), ...b.blobs.keys()]).size;
  a.take(8);
  b.take(8);
  const { reused, descriptors } = await (await write([a.repository, b.repository])).chunks;
  expect(reused).toBe(there);
  expect(a.sent()).toBe(8 - there);
  for (const { digest } of descriptors) expect([a.blobs.has(digest), b.blobs.has(digest)]).toEqual([true, true]);
});
