// Makes and reads twenty thousand frames, which takes seconds.
import { expect, test } from 'vitest';
import { sha256 } from '../../support/bytes.ts';
import { makeChunked, readMade } from '../../support/chunked-layer.ts';

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
  const { entries: rows, tar } = readMade(made);
  expect(rows).toHaveLength(10_000);
  expect(sha256(tar)).toBe(made.layer.diffId);
});
