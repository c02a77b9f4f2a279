import { expect, test } from 'vitest';
import { ChunkReuse } from '../../../src/disk-image/chunk-reuse.ts';
import type { PreviousDisk } from '../../../src/disk-image/previous-disk.ts';
import { NO_JOURNAL } from '../../../src/image/journal.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { DISK_TYPE } from '../../../src/oci/disk-artifact.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import { NO_SIGNAL } from '../../support/erofs.ts';

const CONTENT = digestOf(Buffer.from('a piece'));

/** A place that has nothing, and notes what is mounted into it. */
function place(name: string, { refuses = false } = {}) {
  const mounted: string[] = [];
  const repository = {
    name,
    hasBlob: async () => false,
    mountBlob: async ({ digest }: { digest: string }) => {
      mounted.push(digest);
      return !refuses;
    },
    readBlob: async function* () {
      yield* [];
    },
    putBlob: async () => {
      throw new Error('nothing is sent');
    },
  };
  return { mounted, repository: repository as unknown as Repository };
}

/** A disk at a place, whose one chunk is said to hold the piece. */
function diskAt(repository: Repository, blob: string, forAll = false): PreviousDisk {
  const descriptor = { mediaType: DISK_TYPE.chunk, digest: digestOf(Buffer.from(blob)), size: 7 };
  const chunks = [{ offset: 0, length: 512, content: CONTENT, descriptor }];
  return { repository, forAll, layers: { chunks } } as unknown as PreviousDisk;
}

const find = (reuse: ChunkReuse, to: readonly Repository[]) => reuse.find(CONTENT, to, NO_SIGNAL);

test('what a destination says of its chunks counts for it alone', async () => {
  const [a, b] = [place('a'), place('b')];
  const reuse = new ChunkReuse([diskAt(a.repository, 'blob')]);
  expect(await find(reuse, [a.repository])).toMatchObject({ digest: digestOf(Buffer.from('blob')) });
  expect(await find(reuse, [a.repository, b.repository])).toBeUndefined();
  expect(a.mounted).toEqual([]);
  expect(b.mounted).toEqual([]);
});

test('a chunk that all destinations name is reused where it is the same blob', async () => {
  const [a, b] = [place('a'), place('b')];
  const same = new ChunkReuse([diskAt(a.repository, 'blob'), diskAt(b.repository, 'blob')]);
  expect(await find(same, [a.repository, b.repository])).toBeDefined();
  const other = new ChunkReuse([diskAt(a.repository, 'blob'), diskAt(b.repository, 'packed in another way')]);
  expect(await find(other, [a.repository, b.repository])).toBeUndefined();
});

test('a disk that the workflow names counts for all, which get its chunk mounted or copied', async () => {
  const [named, a] = [place('named'), place('a')];
  const reuse = new ChunkReuse([diskAt(named.repository, 'blob', true)]);
  expect(await find(reuse, [a.repository])).toBeDefined();
  expect(a.mounted).toEqual([digestOf(Buffer.from('blob'))]);
});

test('only pieces of a length that is known are looked for', () => {
  const reuse = new ChunkReuse([diskAt(place('a').repository, 'blob')]);
  expect([512, 1024].map((length) => reuse.mayHave(length))).toEqual([true, false]);
});

test('what this machine has sent counts for all destinations, as long as one of them still has it', async () => {
  const [a, b] = [place('a'), place('b')];
  const descriptor = { mediaType: DISK_TYPE.chunk, digest: digestOf(Buffer.from('sent')), size: 4 };
  const journal = (holder: Repository | undefined) => ({
    ...NO_JOURNAL,
    chunks: [{ descriptor, content: CONTENT, length: 512 }],
    holderOf: async () => holder,
  });
  const reuse = new ChunkReuse([], journal(a.repository));
  expect(reuse.mayHave(512)).toBe(true);
  expect(await find(reuse, [a.repository, b.repository])).toEqual(descriptor);
  expect([a.mounted, b.mounted]).toEqual([[], [descriptor.digest]]);
  expect(await find(new ChunkReuse([], journal(undefined)), [a.repository])).toBeUndefined();
  expect(reuse.withoutAny().mayHave(512)).toBe(false);
  expect(await find(reuse.withoutAny(), [a.repository])).toBeUndefined();
});
