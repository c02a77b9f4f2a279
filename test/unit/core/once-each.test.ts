import { expect, test } from 'vitest';
import { OnceEach } from '../../../src/core/once-each.ts';

test('work of one name is done once, however many ask while it is under way or afterwards', async () => {
  const once = new OnceEach<number>();
  let done = 0;
  const work = async (): Promise<number> => {
    await Promise.resolve();
    done += 1;
    return done;
  };
  const [first, second, other] = await Promise.all([once.do('a', work), once.do('a', work), once.do('b', work)]);
  expect([first.isOwn, second.isOwn, other.isOwn]).toEqual([true, false, true]);
  expect(second.result).toBe(first.result);
  expect(await once.do('a', work)).toEqual({ result: first.result, isOwn: false });
  expect(done).toBe(2);
});

test('work that fails is done by the next one that asks, and fails for nobody else', async () => {
  const once = new OnceEach<string>();
  const failing = once.do('a', async () => {
    await Promise.resolve();
    throw new Error('no');
  });
  const waiting = ['one', 'two'].map((text) => once.do('a', async () => text));
  await expect(failing).rejects.toThrow('no');
  expect(await Promise.all(waiting)).toEqual([
    { result: 'one', isOwn: true },
    { result: 'one', isOwn: false },
  ]);
});

test('what is forgotten is done again', async () => {
  const once = new OnceEach<string>();
  await once.do('a', async () => 'first');
  await once.do('b', async () => 'other');
  once.forget((result) => result === 'first');
  expect(await once.do('a', async () => 'second')).toEqual({ result: 'second', isOwn: true });
  expect((await once.do('b', async () => 'none')).result).toBe('other');
});
