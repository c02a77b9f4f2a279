import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Pace } from '../../../../../src/storage/registry/fetch/pace.ts';
import { watched } from '../../../../../src/storage/registry/fetch/streamed-body.ts';

async function* bytes(count: number, pause: number = 0): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < count; at += 1) {
    if (pause > 0) await sleep(pause);
    yield Buffer.alloc(16);
  }
}

/** Takes all pieces, `pause` milliseconds for each, and waits for an answer; what was said of its being late. */
const send = async (body: AsyncIterable<Uint8Array>, pause: number, answer: number): Promise<string | undefined> => {
  let late: Error | undefined;
  const watch = watched({ pieces: () => body }, 100, (error) => {
    late ??= error;
  });
  for await (const _piece of watch.pieces) {
    if (late) break;
    await sleep(pause);
  }
  for (let waited = 0; waited < answer && !late; waited += 10) await sleep(10);
  watch.end();
  return late?.message;
};

it('a line that takes a body too slowly is late, whatever each piece takes', async () => {
  expect(await send(bytes(1000), 20, 0)).toContain('slower than 16 kB/s');
});

it('who makes a body may take longer than the line', async () => {
  expect(await send(bytes(10, 30), 0, 0)).toBeUndefined();
});

it('an answer that does not come is late', async () => {
  expect(await send(bytes(1), 0, 10_000)).toContain('no answer within');
});

it('a pace counts what was waited for what moved', () => {
  const pace = new Pace(1000);
  expect(pace.left()).toBe(1000);
  pace.moved(16_000, 1500);
  expect([pace.left(), pace.left(1600)]).toEqual([500, 600]);
  pace.moved(0, 600);
  expect(pace.left()).toBe(-100);
});
