import { expect, it } from 'vitest';
import { ChunkBuffer, createPages } from '../../../../../src/core/chunk-buffer.ts';
import { PageQueue } from '../../../../../src/storage/registry/upload/page-queue.ts';
import { MIB } from '../../../../support/bytes.ts';

const held = (size: number) => {
  const pages = createPages();
  const buffer = new ChunkBuffer(8 * MIB, pages);
  buffer.append(Buffer.alloc(size, 'h'));
  return { buffer, pages };
};

it('passes on what was held back and what comes, in order, whatever its sizes', async () => {
  const { buffer, pages } = held(MIB);
  const queue = new PageQueue(buffer, pages, MIB / 2);
  expect([buffer.length, queue.size]).toEqual([0, MIB]);
  const parts: Buffer[] = [];
  const reading = (async () => {
    for await (const piece of queue.pieces()) parts.push(Buffer.from(piece));
  })();
  const sent = [1, 300_000, 5, 2 * MIB + 3].map((size, at) => Buffer.alloc(size, String(at)));
  for (const chunk of sent) {
    await queue.write(chunk);
    chunk.fill(0xff);
  }
  expect(queue.isDrained).toBe(false);
  queue.end();
  await reading;
  const whole = `${'h'.repeat(MIB)}0${'1'.repeat(300_000)}22222${'3'.repeat(2 * MIB + 3)}`;
  expect(Buffer.concat(parts).toString() === whole).toBe(true);
  expect([queue.isDrained, queue.size]).toEqual([true, whole.length]);
});

it('lets nobody write who is too far ahead, and tells both ends of a failure', async () => {
  const { buffer, pages } = held(MIB);
  const queue = new PageQueue(buffer, pages, MIB / 2);
  let isWritten = false;
  const writing = queue.write(Buffer.from('x')).then(() => {
    isWritten = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(isWritten).toBe(false);
  queue.fail(new Error('broke'));
  await expect(writing).rejects.toThrow('broke');
  await expect(queue.write(Buffer.from('x'))).rejects.toThrow('broke');
  await expect(queue.pieces().next()).rejects.toThrow('broke');
});
