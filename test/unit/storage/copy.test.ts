import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { digestOf } from '../../../src/oci/digest.ts';
import { copyBlobToAll } from '../../../src/storage/copy.ts';
import type { ImageDestination } from '../../../src/storage/destination.ts';
import { LayoutRepository } from '../../../src/storage/layout/layout-repository.ts';
import type { ImageSource } from '../../../src/storage/source.ts';

test.each([100, 4 * 1024 * 1024])('a copy of %i bytes between layouts stops when asked to', async (size) => {
  const folder = await mkdtemp(join(tmpdir(), 'nix-images-copy-'));
  try {
    const [from, to] = ['from', 'to'].map((name) => new LayoutRepository(join(folder, name)));
    if (!from || !to) throw new Error('two layouts');
    const bytes = Buffer.alloc(size, 1);
    const blob = { mediaType: 'x', digest: digestOf(bytes), size };
    await from.putBlob(blob, bytes);
    const stop = new AbortController();
    const source = Object.assign(Object.create(from), {
      async *readBlob() {
        for (let at = 0; at < size; at += size / 4) {
          yield bytes.subarray(at, at + size / 4);
          stop.abort(new Error('stopped'));
        }
      },
    });
    if (size > 1024 * 1024) await expect(copyBlobToAll(blob, source, [to], stop)).rejects.toThrow('stopped');
    stop.abort(new Error('stopped'));
    await expect(copyBlobToAll(blob, from, [to], stop)).rejects.toThrow('stopped');
    expect(await to.hasBlob(blob)).toBe(false);
    expect(
      (await readdir(join(folder, 'to')).catch(() => [] as string[])).filter((name) => name.startsWith('.partial')),
    ).toEqual([]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test.each([
  ['a new blob is mounted, and not asked for', true, true, ['mount']],
  ['a new blob that is not mounted may be there', true, false, ['mount', 'has']],
  ['any other is asked for first', false, true, ['has', 'mount']],
])('%s', async (_what, isNew, mounts, expected) => {
  const calls: string[] = [];
  const told = (call: string, answer: boolean) => async (): Promise<boolean> => {
    calls.push(call);
    return answer;
  };
  const to = { hasBlob: told('has', isNew), mountBlob: told('mount', mounts) } as unknown as ImageDestination;
  const blob = { mediaType: 'x', digest: digestOf(Buffer.alloc(0)), size: 0 };
  await copyBlobToAll(blob, { name: 'elsewhere' } as ImageSource, [to], { isNew });
  expect(calls).toEqual(expected);
});
