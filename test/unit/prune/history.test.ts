import { expect, test } from 'vitest';
import type { ChannelState } from '../../../src/channel/record.ts';
import { decide } from '../../../src/prune/decide.ts';
import type { Prunable } from '../../../src/prune/prunable.ts';
import { digest, gone, item, NOW, policyOf } from './kit.ts';

type State = readonly [image: string, record?: string];

const stateOf = (state: State | undefined): ChannelState | undefined =>
  state && ({ digest: digest(state[0]), record: state[1] && digest(state[1]) } as ChannelState);

/** The record, under the digest of a letter, that an image was promoted to a channel. */
const record = (
  letter: string,
  image: string,
  number: number,
  { previous, below = previous, channel = 'stable' }: { previous?: State; below?: State; channel?: string } = {},
): Prunable => {
  const promotion = {
    ...{ record: digest(letter), digest: digest(image), repository: 'docker://ghcr.io/org/app', channel, number },
    ...{ kind: 'promote', previous: stateOf(previous), below: stateOf(below), from: 'edge', run: undefined },
    ...{ time: new Date(NOW).toISOString(), by: undefined },
  } as NonNullable<Prunable['promotion']>;
  return { ...item(letter, { about: [image] }), promotion };
};

/** Three images of which each was stable, the newest now. */
const PROMOTED = [
  item('c', { names: ['v3', 'stable'], age: 1 }),
  item('b', { names: ['v2', 'pr-2'], age: 2 }),
  item('a', { names: ['v1'], age: 3 }),
  record('1', 'a', 1),
  record('2', 'b', 2, { previous: ['a', '1'] }),
  record('3', 'c', 3, { previous: ['b', '2'] }),
];

/** The oldest is stable again, and a rollback from there leads nowhere. */
const ROLLED_BACK = [
  item('c', { names: ['v3'], age: 1 }),
  item('b', { names: ['v2'], age: 2 }),
  item('a', { names: ['stable', 'v1'], age: 3 }),
  ...PROMOTED.slice(3),
  record('4', 'a', 4, { previous: ['c', '3'], below: undefined as never }),
];

test.each<[string, Parameters<typeof policyOf>[0], readonly Prunable[], string[]]>([
  ['what a rollback leads to stays, with its record', { keepLast: ['1'] }, PROMOTED, ['a', '1']],
  ['and as many more as are asked for', { keepLast: ['1'], keepHistory: 2 }, PROMOTED, []],
  ['none, where that is said', { keepLast: ['1'], keepHistory: 0 }, PROMOTED, ['b', 'a', '1', '2']],
  [
    'a preview goes from it when its pull request is closed',
    { keepLast: ['1'], closedPreviews: true },
    PROMOTED,
    ['pr-2', 'a', '1'],
  ],
  ['after a rollback what it came from stays', { keepLast: ['0 of v*'] }, ROLLED_BACK, ['b', 'v1', '2']],
  [
    'a channel that goes needs nothing',
    { keepLast: ['0 of stable', '1 of v*'], keepHistory: 9 },
    PROMOTED,
    ['stable', 'v2', 'a', '1'],
  ],
  [
    'a record of another image or channel leads nowhere',
    { keepLast: ['1'], keepHistory: 9 },
    [...PROMOTED.slice(0, 3), record('1', 'a', 1, { channel: 'other' }), record('3', 'c', 3, { previous: ['b', '1'] })],
    ['a', '1'],
  ],
  [
    'an image that has lost its tags stays too',
    { untagged: 0 },
    [item('b', { age: 9 }), item('a', { age: 9 }), ...PROMOTED.slice(0, 1), ...PROMOTED.slice(3)],
    ['a', '1'],
  ],
])('%s', (_, policy, items, goes) => {
  const facts = { now: NOW, pulls: new Map([[2, 'closed' as const]]) };
  const decisions = decide(items, policyOf(policy), facts);
  expect(gone(decisions)).toEqual(goes);
  const left = items.filter(({ id }) => decisions.some((one) => one.item.id === id && !one.goes));
  const again = left.map((one) => ({ ...one, names: one.names.filter((name) => !goes.includes(name)) }));
  expect(gone(decide(again, policyOf(policy), facts))).toEqual([]);
});

test('says which channel needs it', () => {
  const [, older] = decide(PROMOTED, policyOf({ keepLast: ['1'] }), { now: NOW, pulls: new Map() });
  expect(older?.names).toEqual([
    { name: 'v2', goes: false, why: 'history of stable' },
    { name: 'pr-2', goes: false, why: 'history of stable' },
  ]);
});
