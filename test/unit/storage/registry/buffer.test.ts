import { expect, it } from 'vitest';
import { ChunkBuffer, createPages } from '../../../../src/core/chunk-buffer.ts';
import { Gate } from '../../../../src/core/gate.ts';

it('a buffer takes what fits, keeps it when its memory grows, and copies', () => {
  const buffer = new ChunkBuffer(500_000, createPages());
  const chunk = Buffer.from('abc');
  expect(buffer.append(chunk)).toBe(3);
  chunk.fill('x');
  expect(buffer.append(Buffer.alloc(300_000, 'd'))).toBe(300_000);
  expect(buffer.append(Buffer.alloc(300_000, 'e'))).toBe(199_997);
  expect([buffer.length, buffer.isFull, buffer.append(Buffer.from('f'))]).toEqual([500_000, true, 0]);
  const whole = `abc${'d'.repeat(300_000)}${'e'.repeat(199_997)}`;
  const text = (start?: number, end?: number) => Buffer.concat([...buffer.body(start, end).pieces()]).toString();
  expect(text() === whole).toBe(true);
  expect(text(2, 300_005) === whole.slice(2, 300_005)).toBe(true);
  expect([buffer.body().length, buffer.body(2, 300_005).length]).toEqual([500_000, 300_003]);
  buffer.clear();
  expect(buffer.length).toBe(0);
});

it('a gate lets so many through at once, in order, and gives places back after failures', async () => {
  const gate = new Gate(2);
  const seen: string[] = [];
  let inside = 0;
  const work = (name: string, fails = false) =>
    gate.run(async () => {
      inside += 1;
      seen.push(`${name} of ${inside}`);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
      if (fails) throw new Error(name);
    });
  const results = await Promise.allSettled([work('a', true), work('b'), work('c'), work('d')]);
  expect(seen).toEqual(['a of 1', 'b of 2', 'c of 2', 'd of 2']);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled', 'fulfilled']);
});
