import { expect, test } from 'vitest';
import { firstBytes } from '../../../src/core/stream.ts';

test.each([
  [0, ''],
  [3, 'abc'],
  [4, 'abcd'],
  [9, 'abcdef'],
])('the first %i bytes are %j, and no further chunk is read', async (count, expected) => {
  let read = 0;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (const text of ['abc', 'def']) {
      read += 1;
      yield Buffer.from(text);
    }
  }
  expect((await firstBytes(chunks(), count)).toString()).toBe(expected);
  expect(read).toBe(count > 3 ? 2 : 1);
});
