import { expect, test } from 'vitest';
import { type Answered, AskedTogether } from '../../../src/core/asked-together.ts';

test('one answer for all who ask, when the last has asked or left; who asks again is answered alone', async () => {
  const asked: (readonly number[])[] = [];
  const together = new AskedTogether(3, async (questions: readonly number[]): Promise<readonly Answered<string>[]> => {
    asked.push(questions);
    return questions.map((question) => (question < 0 ? { error: new Error('negative') } : { answer: `${question}` }));
  });
  const [one, two, gone] = [together.join(), together.join(), together.join()];
  const answers = Promise.allSettled([one.ask(1), two.ask(-2)]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(asked).toEqual([]);
  gone.leave();
  gone.leave();
  expect(await answers).toMatchObject([{ value: '1' }, { reason: { message: 'negative' } }]);
  expect(await gone.ask(3)).toBe('3');
  expect(await one.ask(4)).toBe('4');
  expect(asked).toEqual([[1, -2], [3], [4]]);
});

test('what fails as a whole is the answer to all', async () => {
  const together = new AskedTogether<number, string>(2, () => Promise.reject(new Error('no store')));
  const answers = await Promise.allSettled([together.join().ask(1), together.join().ask(2)]);
  expect(answers).toMatchObject([{ reason: { message: 'no store' } }, { reason: { message: 'no store' } }]);
});

test('nobody asks: nothing is done', async () => {
  const together = new AskedTogether<number, string>(1, () => expect.unreachable());
  together.join().leave();
});
