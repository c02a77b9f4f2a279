import { expect, test } from 'vitest';
import { checkSpace } from '../../../src/core/free-space.ts';

const needed = { what: 'the disk app', bytes: 2e9, path: '/work' };

test('too little room is an error with what is needed and what is free; what just fits is none', async () => {
  await checkSpace(needed, async () => 2e9);
  await expect(checkSpace(needed, async () => 2e9 - 1)).rejects.toMatchObject({
    code: 'file',
    message: 'no space for the disk app: 2.0 GB are needed at /work, where 2.0 GB are free',
    hint: expect.stringContaining('Free space there'),
  });
});
