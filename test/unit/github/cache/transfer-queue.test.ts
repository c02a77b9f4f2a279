import { expect, test } from 'vitest';
import { TransferQueue, type Turn } from '../../../../src/github/cache/transfer-queue.ts';

/** Lets everything happen that waits for nothing outside. */
const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

interface Started {
  readonly turn: Turn;
  readonly end: () => void;
  hasTurn: boolean;
}

/** A queue, and what has started of the transfers given to it. */
const scene = () => {
  const queue = new TransferQueue();
  const started = new Map<string, Started>();
  const add = (name: string, fault?: Error) =>
    queue.run(
      (turn) =>
        new Promise<string>((resolve, reject) => {
          const one: Started = { turn, hasTurn: false, end: () => (fault ? reject(fault) : resolve(name)) };
          started.set(name, one);
          void turn.comes.then(() => {
            one.hasTurn = true;
          });
        }),
    );
  const withTurn = () => [...started].filter(([, { hasTurn }]) => hasTurn).map(([name]) => name);
  return { add, started, withTurn };
};

test('one starts while another has its turn, and gets the turn when that is over; a third one when the first has ended', async () => {
  const { add, started, withTurn } = scene();
  const ends = ['a', 'b', 'c'].map((name) => add(name));
  await settle();
  expect([...started.keys()]).toEqual(['a', 'b']);
  expect(withTurn()).toEqual(['a']);
  started.get('a')?.turn.isOver();
  started.get('a')?.turn.isOver();
  await settle();
  expect([...started.keys()]).toEqual(['a', 'b']);
  expect(withTurn()).toEqual(['a', 'b']);
  started.get('a')?.end();
  await settle();
  expect([...started.keys()]).toEqual(['a', 'b', 'c']);
  expect(withTurn()).toEqual(['a', 'b']);
  started.get('b')?.end();
  await settle();
  expect(withTurn()).toEqual(['a', 'b', 'c']);
  started.get('c')?.end();
  expect(await Promise.all(ends)).toEqual(['a', 'b', 'c']);
});

test('one that fails, or ends before its turn, keeps nobody waiting', async () => {
  const { add, started, withTurn } = scene();
  const failing = add('a', new Error('a fails'));
  const early = add('b');
  const last = add('c');
  await settle();
  started.get('b')?.end();
  expect(await early).toBe('b');
  await settle();
  expect(withTurn()).toEqual(['a']);
  started.get('a')?.end();
  await expect(failing).rejects.toThrow('a fails');
  await settle();
  expect(withTurn()).toContain('c');
  started.get('c')?.end();
  expect(await last).toBe('c');
});
