import { expect, test } from 'vitest';
import { twoCoreFloor } from '../../../bench/floor.ts';
import { inTurns } from '../../../bench/turns.ts';

test('things take turns, slow ones in the first round only', () => {
  const order = inTurns(['a', 'slow', 'b'], 3, (thing) => thing === 'slow');
  expect(order.map(({ thing, round }) => `${thing}${round}`)).toEqual(['a0', 'slow0', 'b0', 'a1', 'b1', 'a2', 'b2']);
});

test('the floor is half of all CPU', () => {
  const steps = { readAndTar: 1, hashTar: 2, compress: 4, hashLayers: 0.5, send: 0.5, registry: 2 };
  expect(twoCoreFloor(steps)).toEqual({ cpuSeconds: 10, wallSeconds: 5 });
});
