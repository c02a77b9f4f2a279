// Makes and reads twenty thousand frames, which takes seconds.
import { expect, test } from 'vitest';
import { contentsOf, makeChunked, readChunked, reassemble, sha256, unpacked } from '../../support/chunked-layer.ts';

test('ten thousand small files, read by their ranges and as a whole', async () => {
  const entries = Array.from({ length: 10_000 }, (_, at) => {
    const bytes = Buffer.from(`${at}\n`.repeat(1 + (at % 300)));
    return {
      type: 'file',
      path: `many/${at}`,
      mode: 0o444,
      uid: 0,
      gid: 0,
      content: { kind: 'bytes', bytes },
    } as const;
  });
  const made = await makeChunked(entries);
  const { toc, lines, isConsistent } = readChunked(made);
  expect([toc.entries.length, isConsistent]).toEqual([10_000, true]);
  expect(sha256(reassemble(lines, contentsOf(made, toc.entries)))).toBe(made.layer.diffId);
  expect(sha256(await unpacked(made.bytes))).toBe(made.layer.diffId);
});
