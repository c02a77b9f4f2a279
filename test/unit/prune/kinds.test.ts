import { expect, test } from 'vitest';
import { wholePlace } from '../../../src/prune/github-places.ts';
import { type PrunePlace, REMOVED } from '../../../src/prune/place.ts';
import type { Prunable } from '../../../src/prune/prunable.ts';
import { prunePlace } from '../../../src/prune/prune.ts';
import { prunedText } from '../../../src/prune/report.ts';
import { IdleClock } from '../../support/idle-clock.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { DAY, policyOf } from './kit.ts';

/** Days ago, on the clock of the test. */
const NOW = 0;

const machine = (id: string, name: string, age: number, disk: string): Prunable => ({
  ...{ id, names: [name], time: NOW - age * DAY, needs: [disk], about: [], stored: new Map(), whole: {} },
});
const disk = (id: string, bytes: number): Prunable => ({
  ...{ id, names: [], time: undefined, needs: [], about: [], stored: new Map([[id, bytes]]), whole: {} },
});

/** A kind that is none of those that there are: named things over parts that several may share. */
const machines = (removed: string[]): PrunePlace => {
  const all = [
    machine('ami-3', 'web-3', 1, 'snap-b'),
    machine('ami-2', 'web-2', 20, 'snap-b'),
    machine('ami-1', 'web-1', 30, 'snap-a'),
    ...[disk('snap-a', 8e9), disk('snap-b', 9e9)],
  ];
  return wholePlace({
    name: 'eu-central-1',
    noun: 'machine image',
    list: async () => all.filter(({ id }) => !removed.includes(id)),
    removeItem: async ({ id }) => {
      removed.push(id);
      return REMOVED;
    },
  });
};

const run = (place: PrunePlace, policy: Parameters<typeof policyOf>[0], options: { limit?: number } = {}) =>
  prunePlace(place, {
    ...{ policy: policyOf(policy), askPulls: async () => new Map(), limit: 100, force: false, dryRun: false },
    ...{ log: memoryLog(), clock: new IdleClock(() => 0.5), ...options },
  });

test('a further kind of place needs a list and a removal: what needs parts goes before them, and parts that others need stay', async () => {
  const removed: string[] = [];
  const pruned = await run(machines(removed), { keepLast: ['1 of web-*'] });
  expect(removed).toEqual(['ami-1', 'ami-2', 'snap-a']);
  expect(pruned.freed).toBe(8e9);
  expect(prunedText(pruned)).toContain('removed 3 machine images, 8.0 GB; kept 2 machine images');
  expect((await run(machines(removed), { keepLast: ['1 of web-*'] })).outcomes).toEqual([]);
});

test('the guards know it by its noun', async () => {
  await expect(run(machines([]), { maxAge: ['1d'] })).rejects.toThrow('leaves no machine image in eu-central-1');
  await expect(run(machines([]), { keepLast: ['1'] }, { limit: 1 })).rejects.toThrow('removes 3 machine images from');
});
